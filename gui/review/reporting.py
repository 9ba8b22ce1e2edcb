"""An evaluation as a report: asked for a place, written as a job, opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from core.control import JobControl
from gui.context import AppContext

if TYPE_CHECKING:
    from core.catalog.evaluations import EvaluationRow


def ask_report(row: EvaluationRow, parent: QWidget) -> Path | None:
    """Where the report shall be written; None where it was called off."""
    start = Path.home() / f"{row.model} evaluation.html"
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save the report", str(start), "HTML (*.html)")
    return Path(chosen if Path(chosen).suffix else f"{chosen}.html") if chosen else None


def save_report(context: AppContext, row: EvaluationRow, target: Path) -> None:
    """Write the report and open it."""

    def work(control: JobControl) -> Path:
        from core.inference.report import write_report

        return write_report(row.id, target, control)

    def done(path: Path) -> None:
        context.notice.emit("ok", f"Saved {path}.")
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    context.jobs.run("Writing the report", work, done=done)
