"""What the panel shows between the button and the result: progress with a cancel, and failures in three parts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from core.errors import IsocenterError
from gui.jobs.jobs import Job
from gui.widgets import ElidedLabel, button, label
from gui.widgets.cards import sign


class ProgressCard(QFrame):
    """How far a job is, what it is doing, and Cancel."""

    cancel_requested = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName(name)
        self.title = ElidedLabel("", "strong")
        self.message = label("", "dim", wrap=True)
        self.bar = QProgressBar()
        self.bar.setObjectName(f"{name}-bar")
        self.bar.setAccessibleName("Progress of the prediction")
        self.bar.setTextVisible(False)
        self.cancel = button("Cancel", f"{name}-cancel", self.cancel_requested.emit, tip="Cancel the prediction (Esc)")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.message, 1)
        row.addWidget(self.cancel, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.bar)
        column.addLayout(row)

    def show_job(self, job: Job) -> None:
        self.title.setText(job.title)
        self.message.setText(job.message)
        if job.fraction is None:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(round(job.fraction * 1000))


class FailureCard(QFrame):
    """What is wrong, where, and how to mend it. Hidden until it is shown."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self.setProperty("level", "bad")
        self.setObjectName(name)
        self.what = label("", "strong", wrap=True)
        self.where = ElidedLabel("", "small")
        self.mend = label("", wrap=True)
        for part in ("what", "where", "mend"):
            getattr(self, part).setObjectName(f"{name}-{part}")
        column = QVBoxLayout()
        column.setSpacing(4)
        for widget in (self.what, self.where, self.mend):
            column.addWidget(widget)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(8)
        row.addWidget(sign("bad"), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)
        self.hide()

    def show_error(self, error: Exception) -> None:
        ours = isinstance(error, IsocenterError)
        what = error.what if ours else (str(error) or type(error).__name__)
        where, mend = (error.where, error.mend) if ours else (None, None)
        self.what.setText(what[:1].upper() + what[1:] + ".")
        self.where.setText(where or "")
        self.where.setVisible(bool(where))
        self.mend.setText(mend or "")
        self.mend.setVisible(bool(mend))
        self.setAccessibleName(str(error))
        self.show()
