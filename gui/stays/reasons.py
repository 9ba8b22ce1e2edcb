"""What each hour of a stay adds to a model's answer, as bars under its measurements."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen

from gui.stays.span import Span
from gui.stays.strips import LEFT_MIDDLE, LEFT_PX, TimeStrip
from gui.theme import theme

HEIGHT_PX = 62
GAP_PX = 1.0


class ReasonsStrip(TimeStrip):
    """A bar an hour or step: up where it raises the answer, down where it lowers it, on one scale for both."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.setObjectName("stay-hours-reasons")
        self.setFixedHeight(HEIGHT_PX)
        self._bars: list[tuple[float, float, float]] = []

    def show_bars(self, bars: Sequence[tuple[float, float, float]]) -> None:
        """bars: (from hour, to hour, what it adds)."""
        self._bars = list(bars)
        self.setAccessibleName("What each hour adds to the answer")
        strongest = sorted(self._bars, key=lambda bar: -abs(bar[2]))[:5]
        self.setAccessibleDescription("; ".join(f"{a:g} to {b:g} h: {v:+.2f}" for a, b, v in strongest))
        self.update()

    def said(self) -> str:
        """The bar at the cursor, or the strongest one."""
        if not self._bars:
            return ""
        at = self.span.cursor
        if at is None:
            begin, end, value = max(self._bars, key=lambda bar: abs(bar[2]))
            return f"most: {value:+.2f} at {begin:g}–{end:g} h"
        return next((f"{v:+.2f} at {a:g}–{b:g} h" for a, b, v in self._bars if a <= at < b), "")

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inside = QRectF(LEFT_PX, 4, self.width() - LEFT_PX - self.right, self.height() - 8)
        painter.setPen(theme().color("text"))
        painter.drawText(QRectF(12, 6, LEFT_PX - 24, 20), int(LEFT_MIDDLE), "Each hour adds")
        painter.setPen(theme().color("dim"))
        painter.drawText(QRectF(12, 26, LEFT_PX - 16, 20), int(LEFT_MIDDLE), self.said())
        middle, most = inside.center().y(), max((abs(value) for _, _, value in self._bars), default=0.0)
        painter.setPen(QPen(theme().color("line"), 1))
        painter.drawLine(QPointF(inside.left(), middle), QPointF(inside.right(), middle))
        painter.save()
        painter.setClipRect(inside)
        painter.setPen(Qt.PenStyle.NoPen)
        for begin, end, value in self._bars:
            if not most:
                break
            left, right = self.x_of(begin) + GAP_PX, self.x_of(end) - GAP_PX
            tall = abs(value) / most * inside.height() / 2
            painter.setBrush(theme().color("accent" if value > 0 else "warn"))
            painter.drawRect(QRectF(left, middle - tall if value > 0 else middle, max(right - left, 1), tall))
        painter.restore()
        self.draw_cursor(painter, self.height())
