"""A stay's variables as strips under one another: points over the normal range; wheel zooms, drag moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.charts.axis import round_step
from gui.stays.series import Series
from gui.stays.span import Span
from gui.theme import theme
from gui.viewer.slice_view import KEYBOARD

LEFT_PX, RIGHT_PX = 190, 16
ROW_PX, FOOT_PX = 64, 22
POINT_PX = 2.5
FOCUS_PX = 3
NORMAL_ALPHA, BAND_ALPHA = 38, 60
ZOOM = 0.8
SMALL = 0.85  # of the usual letters
PIXELS_PER_TICK = 70
LEFT_MIDDLE = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class TimeStrip(QWidget):
    """Base: something over time between the same two margins, with the shared stretch and cursor."""

    def __init__(self, span: Span) -> None:
        super().__init__()
        self.span = span
        self.right = RIGHT_PX  # the room left of the right edge
        self._grabbed: float | None = None
        self._ring = False  # whether the focus came by the keyboard, and is shown
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        span.changed.connect(self.update)
        theme().changed.connect(self.update)

    def x_of(self, hours: float) -> float:
        wide = max(self.width() - LEFT_PX - self.right, 1)
        return LEFT_PX + (hours - self.span.low) / (self.span.high - self.span.low) * wide

    def hours_at(self, x: float) -> float:
        wide = max(self.width() - LEFT_PX - self.right, 1)
        return self.span.low + (x - LEFT_PX) / wide * (self.span.high - self.span.low)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._ring = event.reason() in KEYBOARD
        self.update()

    def draw_cursor(self, painter: QPainter, bottom: float) -> None:
        if self._ring and self.hasFocus():
            # A bar along all of it: a ring would lie outside what is seen of a long one.
            painter.fillRect(QRectF(0, 0, FOCUS_PX, bottom), theme().color("accent"))
        if self.span.cursor is not None:
            painter.setPen(QPen(theme().color("dim"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(self.x_of(self.span.cursor), 0), QPointF(self.x_of(self.span.cursor), bottom))

    def draw_hours(self, painter: QPainter, top: float) -> None:
        """The time's axis."""
        width = self.span.high - self.span.low
        step = round_step(width, max((self.width() - LEFT_PX - self.right) / PIXELS_PER_TICK, 1))
        painter.setPen(theme().color("dim"))
        first = np.ceil(self.span.low / step - 1e-9) * step
        for hours in np.arange(first, self.span.high + 1e-9, step):
            area = QRectF(self.x_of(float(hours)) - 30, top, 60, FOOT_PX)
            painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), f"{hours + 0.0:g} h")  # no -0

    # ---- mouse and keys -----------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier or event.position().x() > LEFT_PX:
            self.span.zoom(self.hours_at(event.position().x()), ZOOM if event.angleDelta().y() > 0 else 1 / ZOOM)
            event.accept()
        else:
            event.ignore()  # over the names it scrolls

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._grabbed = self.hours_at(event.position().x())

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._grabbed = None

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        self.span.show_all(self.span.end)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hours = self.hours_at(event.position().x())
        if self._grabbed is not None:
            self.span.move(self._grabbed - hours)
        elif self.span.low <= hours <= self.span.high:
            self.span.point_at(hours)
        else:
            self.span.point_at(None)

    def leaveEvent(self, _event: QEvent) -> None:
        self.span.point_at(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        width = self.span.high - self.span.low
        keys = {Qt.Key.Key_Left: -0.1, Qt.Key.Key_Right: 0.1}
        if event.key() in keys:
            self.span.move(keys[Qt.Key(event.key())] * width)
        elif event.key() == Qt.Key.Key_Home:
            self.span.show_all(self.span.end)
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.span.zoom(self.span.low + width / 2, 1 / ZOOM if event.key() == Qt.Key.Key_Minus else ZOOM)
        else:
            super().keyPressEvent(event)


class SeriesStrips(TimeStrip):
    """A row a variable; its name, its normal range, and the value at the cursor with its unit stand beside it, and what
    it adds to an answer."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.setObjectName("stay-series")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.series: list[Series] = []
        self.adds: Mapping[str, float] = {}

    def show_series(self, series: Sequence[Series], adds: Mapping[str, float] | None = None) -> None:
        """adds: to the answer, by the variable's name."""
        self.series, self.adds = list(series), adds or {}
        told = (f"{one.name}: {len(one.values)} values, last {one.values[-1]:g} {one.unit}" for one in self.series)
        self.setAccessibleName("Measurements over time")
        self.setAccessibleDescription("; ".join(told))
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(600, ROW_PX * max(len(self.series), 1) + 4)

    def show_adds(self, adds: Mapping[str, float]) -> None:
        self.adds = adds
        self.update()

    def said(self, row: int) -> str:
        """What is read out of a row: the value at the cursor, or the last one."""
        one = self.series[row]
        at = one.at(self.span.cursor if self.span.cursor is not None else np.inf)
        return "–" if at is None else f"{at[1]:g} {one.unit}".rstrip()

    def beside(self, row: int) -> str:
        """What stands under the value: the normal range, and what the variable adds to the answer."""
        one = self.series[row]
        told = [] if one.normal is None else [f"normal {_range(one.normal)}"]
        if one.name in self.adds:
            told.append(f"adds {self.adds[one.name]:+.2f}")
        return " · ".join(told)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row in range(len(self.series)):
            if QRectF(0, row * ROW_PX, self.width(), ROW_PX).intersects(QRectF(event.rect())):
                self._draw(painter, row)
        self.draw_cursor(painter, self.height())

    def _draw(self, painter: QPainter, row: int) -> None:
        one, top = self.series[row], row * ROW_PX
        inside = QRectF(LEFT_PX, top + 6, self.width() - LEFT_PX - self.right, ROW_PX - 12)
        edges = [*one.values[[one.values.argmin(), one.values.argmax()]].tolist(), *(one.normal or ())]
        low, high = min(edges), max(edges)
        if high <= low:
            low, high = low - 1, high + 1

        def y_of(value: float) -> float:
            return inside.bottom() - (value - low) / (high - low) * inside.height()

        painter.setPen(QPen(theme().color("line"), 1))
        painter.drawLine(QPointF(0, top + ROW_PX), QPointF(self.width(), top + ROW_PX))
        if one.normal is not None:
            band = QColor(theme().color("ok"))
            band.setAlpha(NORMAL_ALPHA)
            upper, lower = y_of(one.normal[1]), y_of(one.normal[0])
            painter.fillRect(QRectF(inside.left(), upper, inside.width(), max(lower - upper, 1)), band)
        at = one.at(self.span.cursor if self.span.cursor is not None else np.inf)
        odd = at is not None and one.normal is not None and not one.normal[0] <= at[1] <= one.normal[1]
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.setPen(theme().color("text"))
        painter.drawText(QRectF(12, top + 4, LEFT_PX - 24, 18), left, one.name)
        painter.setPen(theme().color("warn" if odd else "dim"))
        painter.drawText(QRectF(12, top + 22, LEFT_PX - 24, 18), left, ("! " if odd else "") + self.said(row))
        painter.setPen(theme().color("dim"))
        painter.setFont(_smaller(self.font()))
        painter.drawText(QRectF(12, top + 41, LEFT_PX - 14, 16), left, self.beside(row))
        painter.setFont(self.font())
        painter.save()
        painter.setClipRect(inside.adjusted(-4, -4, 4, 4))
        points = [QPointF(self.x_of(float(h)), y_of(float(v))) for h, v in zip(one.hours, one.values, strict=True)]
        painter.setPen(QPen(theme().color("accent"), 1.3))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        for point, value in zip(points, one.values.tolist(), strict=True):
            outside = one.normal is not None and not one.normal[0] <= value <= one.normal[1]
            painter.setBrush(theme().color("warn" if outside else "accent"))
            painter.drawEllipse(point, POINT_PX, POINT_PX)
        painter.restore()


def _range(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _smaller(font: QFont) -> QFont:
    made = QFont(font)
    if font.pointSizeF() > 0:
        made.setPointSizeF(font.pointSizeF() * SMALL)
    else:
        made.setPixelSize(max(round(font.pixelSize() * SMALL), 8))
    return made


class HoursStrip(TimeStrip):
    """The time's axis alone, for above what scrolls."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.setObjectName("stay-hours")
        self.setAccessibleName("Hours of the stay")
        self.setFixedHeight(FOOT_PX)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.draw_hours(painter, 0)
        self.draw_cursor(painter, self.height())
        if self.span.cursor is not None:
            painter.setPen(theme().color("text"))
            painter.drawText(QRectF(12, 0, LEFT_PX - 24, FOOT_PX), int(LEFT_MIDDLE), f"at {self.span.cursor:.1f} h")


class CourseStrip(TimeStrip):
    """A model's answer from what was known until each hour, with its interval, on the scale of 0 to 1 or its own."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.setObjectName("stay-course")
        self.setFixedHeight(150)
        self._hours: list[float] = []
        self._values: list[float] = []
        self._ends: list[tuple[float, float]] = []
        self._title = ""
        self._threshold: float | None = None

    def show_course(
        self, title: str, hours: Sequence[float], values: Sequence[float], ends: Sequence[Sequence[float]],
        threshold: float | None = None,
    ) -> None:  # fmt: skip
        """ends: the interval of each value, low and high."""
        self._title, self._threshold = title, threshold
        self._hours, self._values = list(hours), list(values)
        self._ends = [(float(low), float(high)) for low, high in ends]
        self.setAccessibleName(f"{title} over time")
        self.setAccessibleDescription(
            "; ".join(f"{h:g} h: {v:.2f}" for h, v in zip(self._hours, self._values, strict=True))
        )
        self.update()

    def said(self) -> str:
        """The value at the cursor, or the last one."""
        if not self._hours:
            return ""
        at = self.span.cursor if self.span.cursor is not None else self._hours[-1]
        place = max(int(np.searchsorted(self._hours, at, side="right")) - 1, 0)
        low, high = self._ends[place]
        return f"{self._values[place]:.2f} ({low:.2f}–{high:.2f})"

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bottom = self.height() - FOOT_PX
        inside = QRectF(LEFT_PX, 10, self.width() - LEFT_PX - self.right, bottom - 14)
        edges = [edge for pair in self._ends for edge in pair]
        shares = all(0 <= edge <= 1 for edge in edges)
        low, high = (0.0, 1.0) if shares else (min(edges), max(edges))

        def y_of(value: float) -> float:
            return inside.bottom() - (value - low) / ((high - low) or 1) * inside.height()

        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.setPen(theme().color("text"))
        metrics, room = painter.fontMetrics(), LEFT_PX - 58  # beside the numbers of the axis
        name, sign, value = self._title.partition(" = ")
        shown = self._title if metrics.horizontalAdvance(self._title) <= room else name
        painter.drawText(QRectF(12, 12, room, 20), left, metrics.elidedText(shown, Qt.TextElideMode.ElideMiddle, room))
        below = 12 + 20
        if shown != self._title:
            painter.drawText(QRectF(12, below, room, 20), left, f"{sign.strip()} {value}")
            below += 20
        painter.setPen(theme().color("dim"))
        painter.drawText(QRectF(12, below + 2, LEFT_PX - 24, 20), left, self.said())
        for value in (low, (low + high) / 2, high):
            painter.setPen(QPen(theme().color("line"), 1))
            painter.drawLine(QPointF(inside.left(), y_of(value)), QPointF(inside.right(), y_of(value)))
            painter.setPen(theme().color("dim"))
            side = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            painter.drawText(QRectF(LEFT_PX - 46, y_of(value) - 8, 40, 16), side, f"{value:.3g}")
        painter.save()
        painter.setClipRect(inside.adjusted(-2, -2, 2, 2))
        if self._hours:
            above = [QPointF(self.x_of(h), y_of(end[1])) for h, end in zip(self._hours, self._ends, strict=True)]
            below = [QPointF(self.x_of(h), y_of(end[0])) for h, end in zip(self._hours, self._ends, strict=True)]
            painter.setPen(Qt.PenStyle.NoPen)
            band = QColor(theme().color("accent"))
            band.setAlpha(BAND_ALPHA)
            painter.setBrush(band)
            painter.drawPolygon(QPolygonF([*above, *reversed(below)]))
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawPolyline(
                QPolygonF([QPointF(self.x_of(h), y_of(v)) for h, v in zip(self._hours, self._values, strict=True)])
            )
        if self._threshold is not None:
            painter.setPen(QPen(theme().color("warn"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(
                QPointF(inside.left(), y_of(self._threshold)), QPointF(inside.right(), y_of(self._threshold))
            )
        painter.restore()
        self.draw_hours(painter, bottom)
        self.draw_cursor(painter, bottom)
