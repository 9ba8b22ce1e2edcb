"""An answer as a report: asked for a place, written as a job, opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from core.control import JobControl
from core.inference.package import AnyPackage
from gui.context import AppContext

PDF = "PDF (*.pdf)"


def _asked(prediction: Mapping[str, Any], parent: QWidget) -> Path | None:
    """Where the report shall be written; None where it was called off."""
    subject = re.sub(r"[^\w.-]+", "_", str(prediction["subject"]))[:80]
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save the report", str(Path.home() / f"{subject} risk.pdf"), PDF)
    return Path(chosen if chosen.lower().endswith(".pdf") else f"{chosen}.pdf") if chosen else None


def save_report(context: AppContext, package: AnyPackage, prediction: Mapping[str, Any], parent: QWidget) -> None:
    """Ask where, write the report and open it."""
    target = _asked(prediction, parent)
    if target is None:
        return

    def work(control: JobControl) -> Path:
        from core.inference.kinds import kind_of_package

        kind: Any = kind_of_package(package)
        return Path(kind.report(package, prediction, target, control))

    def done(path: Path) -> None:
        context.notice.emit("ok", f"Saved {path}.")
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    context.jobs.run("Writing the report", work, done=done)
