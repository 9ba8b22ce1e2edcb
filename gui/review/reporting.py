"""An evaluation as a report: asked for a place, written as a job, opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from core.control import JobControl
from gui.context import AppContext

if TYPE_CHECKING:
    from core.catalog.evaluations import EvaluationRow


def ask_report(name: str, parent: QWidget) -> Path | None:
    """Where the report of what is called so shall be written; None where it was called off."""
    start = Path.home() / f"{name} evaluation.html"
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save the report", str(start), "HTML (*.html)")
    return Path(chosen if Path(chosen).suffix else f"{chosen}.html") if chosen else None


def save_report(context: AppContext, row: EvaluationRow, target: Path) -> None:
    """Write the report of an evaluation and open it."""

    def work(control: JobControl) -> Path:
        from core.inference.report import write_report

        return write_report(row.id, target, control)

    _write(context, work)


def save_folds_report(context: AppContext, name: str, found: Mapping[str, Any], target: Path) -> None:
    """Write the report of a measured cross-validation and open it."""

    def work(_control: JobControl) -> Path:
        from core.inference.report import OUT_OF_FOLD, write_outcomes

        return write_outcomes(found, name, OUT_OF_FOLD, target)

    _write(context, work)


def _write(context: AppContext, work: Callable[[JobControl], Path]) -> None:
    def done(path: Path) -> None:
        context.notice.emit("ok", f"Saved {path}.")
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    context.jobs.run("Writing the report", work, done=done)
