"""The real program in a child process, with something that looks at its window from inside.

`open_window("name", ...)` starts `python -m tests.benchmarks.window name ...`; that runs the program's own main, and
hands its window to the inspector of that name (in inspectors.py) once it is painted. What the inspector reports comes
back as a dictionary.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
BEGAN = "ISOCENTER_BENCHMARK_BEGAN"
MARK = "benchmark report: "


def open_window(inspector: str, *arguments: str, home: Path, timeout: float = 300.0) -> dict[str, Any]:
    """Run the program under an inspector and return its report. Raises RuntimeError with what the child said."""
    settings = {**os.environ, "ISOCENTER_HOME": str(home), BEGAN: repr(time.monotonic())}
    if sys.platform.startswith("linux"):
        settings.setdefault("QT_QPA_PLATFORM", "offscreen")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.window", inspector, *arguments],
        cwd=CHECKOUT, env=settings, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    reports = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    if not reports:
        raise RuntimeError(f"{inspector}: no report (exit code {done.returncode})\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(reports[-1])
    return report


def train_without_window(file: Path, home: Path) -> str:
    """Train from the command line. Returns the run's id."""
    settings = {**os.environ, "ISOCENTER_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "core.cli", "train", str(file), "--json"],
        cwd=CHECKOUT, env=settings, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"training from the command line: {done.stderr[-2000:]}")
    return str(json.loads(done.stdout)["run"])


def report(facts: dict[str, Any]) -> None:
    """Called by an inspector when it is through: tell the parent, and end this process at once."""
    print(MARK + json.dumps(facts), flush=True)
    os._exit(0)


def seconds_since_start() -> float:
    """Since the parent asked for this process. The monotonic clock is the same in all processes of a machine."""
    return time.monotonic() - float(os.environ[BEGAN])


def run_program(arguments: list[str], inspect: Callable[[Any], None]) -> None:
    """The program's own main, with `inspect(window)` called once its window has been painted."""
    from PySide6.QtCore import QEvent, QObject, QTimer
    from PySide6.QtWidgets import QApplication, QMainWindow

    class Painted(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            if event.type() == QEvent.Type.Paint and isinstance(watched, QMainWindow):
                QApplication.instance().removeEventFilter(self)
                # Once the paint that is now beginning has been flushed to the screen.
                QTimer.singleShot(0, lambda: inspect(watched))
            return False

    def watched_exec(*_: Any) -> int:
        app = QApplication.instance()
        app.painted = Painted()
        app.installEventFilter(app.painted)
        return original()

    original = QApplication.exec
    QApplication.exec = staticmethod(watched_exec)
    from gui.__main__ import main

    main(arguments)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    program_arguments = ["--no-sample"]
    # The start is measured with nothing more imported than the program itself does.
    if name == "start":
        program_arguments = []
        from tests.benchmarks.inspect_start import inspect
    elif name == "drop":
        from tests.benchmarks.inspect_drop import inspect
    elif name == "table":
        from tests.benchmarks.inspect_table_training import inspect
    else:
        from tests.benchmarks.inspect_training import inspect
    run_program(program_arguments, lambda window: inspect(window, *rest))
