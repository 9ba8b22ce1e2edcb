"""A child process that predicts: JSON lines in and out, libraries loaded once, ended when its input closes.

A request is {"id", "scan", "model", "out", "device", "series", "name", "mirror", "roi", "members", "uncertainty",
"further", "ledger", "time_point"}, the last ten at will; further are the files of a subject's other channels, ledger is
the folder of results that keeps what became of the scan (core.inference.ledger).
Each answer is a line {"id", "event", ...} with event "ready" (once, when the libraries are loaded; id null),
"progress" (fraction, message), "done" (result) or "failed" (error: what, where, mend). Cancelling is ending the
process: nothing half-written stays behind.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from core.control import JobControl
from core.errors import IsocenterError

if TYPE_CHECKING:
    from core.inference.package import ModelPackage


def serve(requests: TextIO, answers: TextIO, after: Callable[[ModelPackage], None] = lambda _: None) -> None:
    """Answer requests until the input ends. `after` is called with the model of each prediction that was made."""

    def say(id: Any, event: str, **more: Any) -> None:
        answers.write(json.dumps({"id": id, "event": event, **more}) + "\n")
        answers.flush()

    _warm_up()
    say(None, "ready")
    for line in requests:
        if not line.strip():
            continue
        id = None
        try:
            request = _parse(line)
            id = request.get("id")
            package, result = _predict(request, partial(_report, say, id))
            say(id, "done", result=result)
            after(package)
        except IsocenterError as error:
            say(id, "failed", error={"what": error.what, "where": error.where, "mend": error.mend})
        except Exception:
            traceback.print_exc()
            say(id, "failed", error={"what": "unexpected error", "where": None, "mend": "The log says more."})


def _parse(line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise IsocenterError("the request is no JSON object")
    return request


def _report(say: Any, id: Any, fraction: float | None, message: str) -> None:
    say(id, "progress", fraction=fraction, message=message)


def _warm_up() -> None:
    """Load what the first request would otherwise wait for."""
    import core.catalog
    import core.imaging.reader
    import core.imaging.writer
    import core.inference.predictor  # noqa: F401
    from core.inference import runtime
    from core.inference.package import list_packages

    runtime.warm_up(list_packages())


class Preparer:
    """Makes the graphs that are lacking, one at a time, in a child process beside the predictions."""

    def __init__(self) -> None:
        self._tried: set[str] = set()
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self, package: ModelPackage) -> None:
        from core.inference import runtime

        busy = self._child is not None and self._child.poll() is None
        if not busy and package.manifest.sha256 not in self._tried and runtime.lacks_graph(package):
            self._tried.add(package.manifest.sha256)
            command = [sys.executable, "-m", "core.inference.runtime.convert", str(package.folder)]
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()


def _predict(request: dict[str, Any], listener: Any) -> tuple[ModelPackage, dict[str, Any]]:
    from core.inference.cases import Case
    from core.inference.ledger import Ledger, settings_of
    from core.inference.mirroring import SHARED
    from core.inference.package import find_package
    from core.inference.predictor import PredictionResult, predict_file

    try:
        scan, model, out = (str(request[key]) for key in ("scan", "model", "out"))
    except KeyError as error:
        raise IsocenterError(f"the request lacks {error}") from None
    device = str(request.get("device") or "auto")
    series = str(request.get("series") or "") or None
    package, control = find_package(model), JobControl(listener)
    members, mirror, time_point = request.get("members"), request.get("mirror"), request.get("time_point")
    used = package if members is None else package.first(int(members))
    mirror = mirror if mirror in (None, SHARED) else bool(mirror)
    roi = request.get("roi")
    roi = None if roi is None else bool(roi)
    further = tuple(Path(path) for path in request.get("further") or ())
    name, uncertainty = str(request.get("name") or ""), bool(request.get("uncertainty"))

    def keep(ended: PredictionResult | IsocenterError) -> None:
        if request.get("ledger"):
            ledger = Ledger(Path(request["ledger"]), used, settings_of(mirror, members, uncertainty, roi))
            ledger.add(Case(Path(scan), series or "", Path(), name, "", further), ended)

    try:
        result = predict_file(
            Path(scan), used, Path(out), further=further, series=series, name=name, device=device, mirror=mirror,
            roi=roi, uncertainty=uncertainty, time_point=None if time_point is None else int(time_point),
            control=control,
        )  # fmt: skip
    except IsocenterError as error:
        keep(error)
        raise
    keep(result)
    return package, result.as_dict()


def main() -> int:
    # Whatever a library prints must not fall between the answers: they keep the real stdout, print gets stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8")
    preparer = Preparer()
    try:
        serve(sys.stdin, answers, preparer)
    except (BrokenPipeError, KeyboardInterrupt):
        return 1
    finally:
        preparer.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
