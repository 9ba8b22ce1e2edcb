"""The column of messages beside the curves: the event log, a failure in its parts, and what to make of the curves."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QFontDatabase
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout

from core.catalog import EventRow
from gui.metric_names import in_a_sentence, lower_is_better
from gui.theme.tokens import SECTION_PX
from gui.train.engine import Failure
from gui.train.history import History
from gui.widgets.controls import button
from gui.widgets.labels import label

FLAT_VALIDATIONS = 5
SIGNS = {"warning": "! ", "error": "✕ "}


class EventLog(QPlainTextEdit):
    """What happened to the run, newest last."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("event-log")
        self.setAccessibleName("Log of the run")
        self.setReadOnly(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMaximumBlockCount(2000)
        self.document().setDocumentMargin(0)
        self.setFrameShape(QFrame.Shape.NoFrame)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPixelSize(SECTION_PX)
        self.setFont(font)
        self.setStyleSheet(
            f"QPlainTextEdit {{ background: transparent; border: none; padding: 0; font-size: {SECTION_PX}px; }}"
        )

    def append_events(self, events: list[EventRow]) -> None:
        for event in events:
            at = time.strftime("%H:%M", time.localtime(event.time))
            self.appendPlainText(f"{at} {SIGNS.get(event.level, '')}{event.message}")


class FailureCard(QFrame):
    """A failure: what, where, how to mend it."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("failure")
        self.setProperty("role", "notice")
        self.setProperty("level", "bad")
        self._folder: Path | None = None
        self.what = label("", "strong", wrap=True)
        self.where = label("", "dim", wrap=True)
        self.mend = label("", wrap=True)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setObjectName("failure-details")
        self.details.setAccessibleName("Technical details")
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.details.setMaximumHeight(180)
        self.toggle = button("Show details", "show-details", self._toggle, role="link")
        self.open_folder = button("Show the run's folder", "failure-folder", self._open, role="link")
        links = QHBoxLayout()
        links.addWidget(self.toggle)
        links.addWidget(self.open_folder)
        links.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 12, 8)
        column.setSpacing(4)
        for widget in (self.what, self.where, self.mend):
            column.addWidget(widget)
        column.addLayout(links)
        column.addWidget(self.details)
        self.hide()

    def show_failure(self, failure: Failure | None, folder: Path | None = None) -> None:
        self._folder = folder
        self.setVisible(failure is not None)
        if failure is None:
            return
        self.what.setText(f"✕ {failure.what[:1].upper()}{failure.what[1:].rstrip('.')}.")
        self.where.setText(f"Where: {failure.where}")
        self.where.setVisible(bool(failure.where))
        self.mend.setText(failure.mend)
        self.mend.setVisible(bool(failure.mend))
        self.details.setPlainText(failure.details)
        self.details.hide()
        self.toggle.setText("Show details")
        self.toggle.setVisible(bool(failure.details))
        self.open_folder.setVisible(folder is not None)
        self.setAccessibleName(failure.what)

    def _toggle(self) -> None:
        self.details.setVisible(self.details.isHidden())
        self.toggle.setText("Show details" if self.details.isHidden() else "Hide details")

    def _open(self) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))


def remark(history: History, early_stopping: int) -> str:
    """What a person should make of the validation so far, in a sentence or two; empty when there is nothing to say."""
    key = history.monitor
    points = history.series.get(key)
    if history.run is None or not history.run.live or points is None or not np.isfinite(points.values).any():
        return ""
    since = len(points.values) - 1 - int((np.nanargmin if lower_is_better(key) else np.nanargmax)(points.values))
    if since < FLAT_VALIDATIONS:
        return ""
    text = f"No better {in_a_sentence(key)} for {since} validations; the best was {history.best(key):.3f}."
    if early_stopping:
        text += f" Early stopping ends the run in {max(early_stopping - since, 1)} more."
    return text if math.isfinite(history.best(key)) else ""
