"""`isocenter train`: run an experiment, or go on with a run. Ctrl-C asks it to stop and keeps its checkpoints."""

from __future__ import annotations

import signal
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.commands.console import Progress, answer, answer_json, say
from core.errors import ConfigError

INTERRUPTED = 130


def add(commands: Any) -> None:
    parser = commands.add_parser("train", help="train from a preset or a YAML file")
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="a preset's name or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.path=FOLDER trainer.epochs=20")
    parser.add_argument("--resume", metavar="RUN", help="go on with this run from its last checkpoint")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    from core import config
    from core.catalog import Catalog
    from core.training.launch import execute, prepare_run

    if bool(args.config) == bool(args.resume):
        raise ConfigError("give either an experiment or --resume RUN")
    with Catalog() as catalog:
        catalog.mark_interrupted()
        run_id = catalog.run(args.resume).id if args.resume else ""
    with Progress() as progress:
        run_id = run_id or prepare_run(config.load(args.config, args.overrides), progress.control())
    say(f"Run {run_id}. Ctrl-C stops it and keeps its checkpoints.")
    with _stopping(run_id) as interrupted:
        row = execute(run_id, resume=bool(args.resume))
    with Catalog() as catalog:
        checkpoints = {checkpoint.kind: str(checkpoint.path) for checkpoint in catalog.checkpoints(run_id)}
    if args.json:
        answer_json({"run": run_id, "state": row.state, "metrics": row.summary, "checkpoints": checkpoints})
    else:
        figures = ", ".join(f"{key} {value:.4f}" for key, value in row.summary.items() if key.startswith("val/"))
        answer(f"{run_id} {row.state}. {figures}".rstrip())
    return INTERRUPTED if interrupted.is_set() else 0


@contextmanager
def _stopping(run_id: str) -> Iterator[threading.Event]:
    """Within the block Ctrl-C asks the run to stop; the second one ends it at once."""
    from core.training.control import request

    interrupted = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(_number: int, _frame: Any) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        request(run_id, "stop")
        say("Stopping after this step; Ctrl-C again ends it at once.")

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
