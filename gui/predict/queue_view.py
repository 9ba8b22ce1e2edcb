"""The queue of scans being predicted, one line each: name, how far, what became of it, and its cancel."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.errors import IsocenterError
from gui.predict.batch import Batch, BatchItem
from gui.predict.results import seconds_text
from gui.widgets import ElidedLabel, button, dress, label, line, scrolled, section

LINE_PX = 41
LINES_SHOWN = 6
SIGNS = {
    "done": ("✓ Done", "ok"),
    "known": ("✓ Done before", "ok"),
    "failed": ("✕ Failed", "bad"),
    "cancelled": ("Cancelled", "dim"),
    "waiting": ("Waiting", "dim"),
}


class QueueView(QFrame):
    """Shows a batch; hidden while it is empty."""

    open_requested = Signal(int)  # a prediction's id

    def __init__(self, batch: Batch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("prediction-queue")
        self._batch = batch
        self._lines: list[QueueLine] = []
        self._count = label("", "dim")
        self.cancel_all = button("Cancel all", "queue-cancel-all", batch.cancel_all)
        self.clear = button("Clear", "queue-clear", batch.clear_over, tip="Take those that are over from the list")
        head = QHBoxLayout()
        head.setSpacing(8)
        for widget in (section("Queue"), self._count):
            head.addWidget(widget)
        head.addStretch(1)
        for widget in (self.cancel_all, self.clear):
            head.addWidget(widget)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self._scroll = scrolled(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(12, 8, 12, 4)
        outer.setSpacing(8)
        outer.addLayout(head)
        outer.addWidget(self._scroll)
        batch.changed.connect(self._fill)
        batch.progressed.connect(self._progress)
        self._fill()

    def _fill(self) -> None:
        items = self._batch.items
        if [shown.item for shown in self._lines] != items:
            for old in self._lines:
                self._column.removeWidget(old)
                old.deleteLater()
            self._lines = [QueueLine(item) for item in items]
            for at, new in enumerate(self._lines):
                new.cancel_requested.connect(self._batch.cancel)
                new.open_requested.connect(self.open_requested)
                new.again_requested.connect(self._batch.again)
                self._column.insertWidget(at, new)
        for shown in self._lines:
            shown.refresh()
        over = sum(item.over for item in items)
        failed = sum(item.state == "failed" for item in items)
        self._count.setText(f"{over} of {len(items)}" + (f", {failed} failed" if failed else ""))
        self.cancel_all.setVisible(self._batch.busy)
        self.clear.setVisible(over > 0)
        self._scroll.setFixedHeight(LINE_PX * min(max(len(items), 1), LINES_SHOWN) + 4)
        self.setVisible(bool(items))

    def _progress(self, place: int) -> None:
        if place < len(self._lines):
            self._lines[place].refresh()


class QueueLine(QWidget):
    """One scan of the queue."""

    cancel_requested = Signal(object)
    open_requested = Signal(int)
    again_requested = Signal(object)

    def __init__(self, item: BatchItem, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.item = item
        self.setFixedHeight(LINE_PX)
        self._name = ElidedLabel(item.case.title)
        self._name.setToolTip(str(item.case.scan))
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(f"Progress of {item.case.title}")
        self._said = ElidedLabel("", "dim", mode=Qt.TextElideMode.ElideRight)
        self._state = label("")
        for stretched in (self._name, self._said):  # or each line would divide its room in its own way
            stretched.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        slot = QWidget()
        slot.setFixedWidth(120)
        in_slot = QHBoxLayout(slot)
        in_slot.setContentsMargins(0, 0, 0, 0)
        in_slot.addWidget(self._bar)
        in_slot.addWidget(self._state)
        self._cancel = self._button("Cancel", "queue-cancel", lambda: self.cancel_requested.emit(item))
        self._open = self._button("Open", "queue-open", lambda: self.open_requested.emit(item.prediction))
        self._again = self._button("Predict again", "queue-again", lambda: self.again_requested.emit(item))
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self._name, 2)
        row.addWidget(slot)
        row.addWidget(self._said, 3)
        acts = QWidget()
        acts.setFixedWidth(180)
        in_acts = QHBoxLayout(acts)
        in_acts.setContentsMargins(0, 0, 0, 0)
        in_acts.addStretch(1)
        for one in (self._again, self._cancel, self._open):
            in_acts.addWidget(one)
        row.addWidget(acts)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        hairline = line()
        hairline.setFixedHeight(1)
        column.addWidget(hairline)
        column.addLayout(row, 1)

    def _button(self, text: str, name: str, clicked: object) -> QPushButton:
        made = button(text, name, clicked, role="link")  # type: ignore[arg-type]
        made.setAccessibleName(f"{text}: {self.item.case.title}")
        return made

    def refresh(self) -> None:
        item = self.item
        running = item.job is not None
        self._bar.setVisible(running)
        self._state.setVisible(not running)
        text, role = SIGNS.get(item.state, ("", "dim"))
        self._state.setText(text)
        dress(self._state, "role", role)
        self._said.setText(_said(item))
        if item.job is not None:
            known = item.job.fraction is not None
            self._bar.setRange(0, 1000 if known else 0)
            self._bar.setValue(round((item.job.fraction or 0) * 1000) if known else 0)
        self._cancel.setVisible(not item.over)
        self._open.setVisible(item.prediction > 0)
        self._again.setVisible(item.state in ("known", "failed", "cancelled"))


def _said(item: BatchItem) -> str:
    if item.job is not None:
        return item.job.message
    if isinstance(item.error, IsocenterError):
        what = item.error.what[:1].upper() + item.error.what[1:]
        return f"{what}. {item.error.mend or ''}".strip()
    if item.error is not None:
        return str(item.error)
    if item.state == "known":
        return "Scan, model and settings are unchanged"
    return seconds_text(item.seconds) if item.state == "done" else ""
