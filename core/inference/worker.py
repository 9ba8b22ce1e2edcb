"""A child process that predicts: JSON lines in and out, torch loaded once, ended when its input closes.

A request is {"id", "scan", "model", "out", "device", "series"}, the last two at will; each answer is a line
{"id", "event", ...} with event "ready" (once, when torch is loaded; id null), "progress" (fraction, message), "done"
(result) or "failed" (error: what, where, mend). Cancelling is ending the process: nothing half-written stays behind.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from core.control import JobControl
from core.errors import IsocenterError


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until the input ends."""

    def say(id: Any, event: str, **more: Any) -> None:
        answers.write(json.dumps({"id": id, "event": event, **more}) + "\n")
        answers.flush()

    import torch  # noqa: F401 - loaded before the first request asks for it

    say(None, "ready")
    for line in requests:
        if not line.strip():
            continue
        id = None
        try:
            request = _parse(line)
            id = request.get("id")
            say(id, "done", result=_predict(request, partial(_report, say, id)))
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


def _predict(request: dict[str, Any], listener: Any) -> dict[str, Any]:
    from core.inference.package import find_package
    from core.inference.predictor import predict_file

    try:
        scan, model, out = (str(request[key]) for key in ("scan", "model", "out"))
    except KeyError as error:
        raise IsocenterError(f"the request lacks {error}") from None
    device = str(request.get("device") or "auto")
    series = str(request.get("series") or "") or None
    package, control = find_package(model), JobControl(listener)
    return predict_file(Path(scan), package, Path(out), series=series, device=device, control=control).as_dict()


def main() -> int:
    # Whatever a library prints must not fall between the answers: they keep the real stdout, print gets stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8")
    try:
        serve(sys.stdin, answers)
    except (BrokenPipeError, KeyboardInterrupt):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
