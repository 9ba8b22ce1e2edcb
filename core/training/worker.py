"""One of the processes that train a run on several devices: `python -m core.training.worker RUN`, under torchrun.

What happens is told as JSON lines on stdout; the catalog row's state is the business of `core.training.supervisor`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import traceback
from typing import Any

from core import world
from core.catalog import Catalog
from core.control import JobControl
from core.errors import IsocenterError
from core.training.control import StopRequested
from core.training.fit import fit


def main() -> int:
    parser = argparse.ArgumentParser(prog="core.training.worker")
    parser.add_argument("run")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--smaller", type=int, default=0)
    parser.add_argument("--beside-window", action="store_true")
    args = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    if world.first():  # its lines on the epochs are said where the run is watched
        core = logging.getLogger("core")
        core.setLevel(logging.INFO)
        core.addHandler(_Telling())
        core.propagate = False
    threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()
    job = JobControl(_report if world.first() else lambda _fraction, _message: None)
    try:
        with world.joined(), Catalog() as catalog:
            run = catalog.run(args.run)
            ended = "finished"
            try:
                fit(
                    run, catalog, resume=args.resume, beside_window=args.beside_window, job=job, smaller=args.smaller
                )  # fmt: skip
            except StopRequested as request:
                ended = "discarded" if request.discard else "stopped"
        if world.first():
            _tell(ended=ended)
        return 0
    except IsocenterError as error:
        _tell(failed={"kind": type(error).__name__, "what": error.what, "where": error.where, "mend": error.mend})
    except BaseException as error:
        traceback.print_exc()
        _tell(crashed=f"{type(error).__name__}: {error}")
    return 1


class _Telling(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _tell(said=record.getMessage())


def _report(fraction: float | None, message: str) -> None:
    _tell(progress=[fraction, message])


def _tell(**news: Any) -> None:
    os.write(1, (json.dumps(news) + "\n").encode())  # in one piece: the processes share the pipe


def _end_with_supervisor() -> None:
    """No process outlives the one that supervises it: its end closes this one's stdin."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
