"""The stretch of time that is seen, and the moment that is pointed at: shared by all strips of a stay."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

LEAST_HOURS = 0.5


class Span(QObject):
    """low, high: in hours, within 0..end. cursor: None while nothing is pointed at."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.end = 48.0
        self.low, self.high = 0.0, 48.0
        self.cursor: float | None = None

    def show_all(self, end: float) -> None:
        """See the whole of a stay."""
        self.end = max(end, LEAST_HOURS)
        self.low, self.high, self.cursor = 0.0, self.end, None
        self.changed.emit()

    def point_at(self, hours: float | None) -> None:
        if hours != self.cursor:
            self.cursor = hours
            self.changed.emit()

    def zoom(self, about: float, factor: float) -> None:
        """Less (factor below 1) or more of it, with the moment `about` where it was."""
        width = min(max((self.high - self.low) * factor, LEAST_HOURS), self.end)
        share = (about - self.low) / (self.high - self.low)
        self._place(about - share * width, width)

    def move(self, by: float) -> None:
        """Earlier or later by some hours."""
        self._place(self.low + by, self.high - self.low)

    def _place(self, low: float, width: float) -> None:
        self.low = min(max(low, 0.0), self.end - width)
        self.high = self.low + width
        self.changed.emit()
