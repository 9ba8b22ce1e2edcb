"""Says that something was moved to the trash, and brings it back."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from gui.widgets.cards import sign
from gui.widgets.controls import button, tool_button
from gui.widgets.labels import label


class TrashBar(QFrame):
    """Stays until it is closed, or until another thing is deleted; `offered` is what Undo brings back."""

    undone = Signal(object)  # what was offered

    def __init__(self, name: str = "", parent: QWidget | None = None) -> None:
        """`name` goes before the names of the bar and its buttons, where a window holds several."""
        super().__init__(parent)
        self.setProperty("role", "notice")
        self.setProperty("level", "info")
        self.setObjectName(f"{name}trash")
        self._text = label("", wrap=True)
        self._offered: object = None
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(sign("info"))
        row.addWidget(self._text, 1)
        row.addWidget(button("Undo", f"{name}undo-delete", self.undo))
        row.addWidget(tool_button("close", f"{name}trash-close", "Close this notice", self.hide))
        self.hide()

    def offer(self, what: str, days: int, back: object, note: str = "") -> None:
        """Say that `what` was moved to the trash for so many days; Undo gives `back` to whoever listens.

        note: one more sentence.
        """
        self._offered = back
        self._text.setText(f"{what} moved to the trash for {days} days. {note}".strip())
        self.setAccessibleName(self._text.text())
        self.show()

    def undo(self) -> None:
        back, self._offered = self._offered, None
        self.hide()
        if back is not None:
            self.undone.emit(back)
