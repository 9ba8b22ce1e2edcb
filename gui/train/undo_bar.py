"""Asks nothing and interrupts nobody: says what is about to be done, and lets it be undone for a while."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from gui.widgets.controls import button
from gui.widgets.labels import label

SECONDS = 8


class UndoBar(QFrame):
    """Counts down, then does it. One thing at a time: a new one has the one before done at once."""

    done = Signal()
    undone = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setProperty("role", "notice")
        self.setProperty("level", "warn")
        self._text = label("", wrap=True)
        self._count = label("", "dim")
        self._left = 0
        self._act: Callable[[], None] | None = None
        self._back: Callable[[], None] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self._tick)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(self._text, 1)
        row.addWidget(self._count)
        row.addWidget(button("Undo", f"{name}-undo", self.undo))
        row.addWidget(button("Do it now", f"{name}-now", self.finish, role="quiet"))
        self.hide()

    @property
    def waiting(self) -> bool:
        return self._act is not None

    def offer(self, text: str, act: Callable[[], None], back: Callable[[], None] | None = None) -> None:
        """Do `act` after a while unless undone, which calls `back`."""
        self.finish()
        self._act, self._back, self._left = act, back, SECONDS
        self._text.setText(text)
        self.setAccessibleName(text)
        self._show_count()
        self._timer.start()
        self.show()

    def undo(self) -> None:
        back = self._back
        self._clear()
        if back is not None:
            back()
        self.undone.emit()

    def finish(self) -> None:
        """Do what waits, now."""
        act = self._act
        self._clear()
        if act is not None:
            act()
            self.done.emit()

    def _clear(self) -> None:
        self._timer.stop()
        self._act = self._back = None
        self.hide()

    def _tick(self) -> None:
        self._left -= 1
        self._show_count()
        if self._left <= 0:
            self.finish()

    def _show_count(self) -> None:
        self._count.setText(f"in {self._left} s")
