"""A small plot of a metric's distribution: one row a structure, a point a case over a box of the quartiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.charts.axis import round_step
from gui.theme.theme import theme

ROW_PX = 40
FOOT_PX = 20
LEFT_PX, RIGHT_PX = 96, 14
POINT_PX = 3.5
REACH_PX = 8
STEPS = 4  # at most so many round ones from end to end of the axis


@dataclass(frozen=True)
class Strip:
    """The values of one structure, in the order of the cases."""

    name: str
    colour: QColor
    values: Sequence[float]


class StripPlot(QWidget):
    """A click on a point chooses its case; the chosen case is ringed in every row."""

    case_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("review-strip")
        self.setAccessibleName("Distribution of the metric over the cases")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._cases: list[str] = []
        self._strips: list[Strip] = []
        self._range = (0.0, 1.0)
        self._chosen = ""
        theme().changed.connect(self.update)

    def show_strips(self, cases: Sequence[str], strips: Sequence[Strip]) -> None:
        """Draw these; every strip has a value for each case."""
        self._cases, self._strips = list(cases), list(strips)
        values = [value for strip in strips for value in strip.values]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        step = round_step((high - low) or max(abs(high), 1.0), STEPS)
        low, high = step * math.floor(low / step), step * math.ceil(high / step)
        self._range = (low, high if high > low else low + step)
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def choose(self, case: str) -> None:
        self._chosen = case
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, ROW_PX * max(len(self._strips), 1) + FOOT_PX)

    def place_of(self, strip: int, case: int) -> QPointF:
        """Where a case's point is; equal values are set apart by their order."""
        apart = ((case * 7) % 11 - 5) / 5 * ROW_PX * 0.24
        return QPointF(self._x(self._strips[strip].values[case]), ROW_PX * (strip + 0.5) + apart)

    def _x(self, value: float) -> float:
        low, high = self._range
        return LEFT_PX + (value - low) / (high - low) * (self.width() - LEFT_PX - RIGHT_PX)

    def case_at(self, point: QPointF) -> tuple[int, int] | None:
        """The strip and case whose point is nearest, if it is near."""
        best, found = float(REACH_PX), None
        for row in range(len(self._strips)):
            for case in range(len(self._cases)):
                away = self.place_of(row, case) - point
                far = float(np.hypot(away.x(), away.y()))
                if far < best:
                    best, found = far, (row, case)
        return found

    # ---- drawing ------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row, strip in enumerate(self._strips):
            self._draw_strip(painter, row, strip)
        if self._strips:
            self._draw_axis(painter)

    def _draw_strip(self, painter: QPainter, row: int, strip: Strip) -> None:
        middle = ROW_PX * (row + 0.5)
        name = QRectF(0, middle - ROW_PX / 2, LEFT_PX - 12, ROW_PX)
        painter.setPen(theme().color("text"))
        shown = painter.fontMetrics().elidedText(strip.name, Qt.TextElideMode.ElideMiddle, int(name.width()))
        painter.drawText(name, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), shown)
        quarter, half, three = (self._x(float(v)) for v in np.percentile(list(strip.values), (25, 50, 75)))
        box = QRectF(quarter, middle - ROW_PX * 0.32, max(three - quarter, 1), ROW_PX * 0.64)
        painter.setPen(QPen(theme().color("dim"), 1))
        painter.setBrush(theme().color("raised"))
        painter.drawRoundedRect(box, 2, 2)
        colour = QColor(strip.colour)
        colour.setAlpha(190)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for case in range(len(self._cases)):
            painter.drawEllipse(self.place_of(row, case), POINT_PX, POINT_PX)
        painter.setPen(QPen(theme().color("text"), 2))
        painter.drawLine(QPointF(half, box.top()), QPointF(half, box.bottom()))
        if self._chosen in self._cases:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme().color("accent"), 2))
            painter.drawEllipse(self.place_of(row, self._cases.index(self._chosen)), POINT_PX + 3, POINT_PX + 3)

    def _draw_axis(self, painter: QPainter) -> None:
        painter.setPen(theme().color("dim"))
        top = ROW_PX * len(self._strips)
        low, high = self._range
        for share, where in ((0.0, Qt.AlignmentFlag.AlignLeft), (0.5, Qt.AlignmentFlag.AlignHCenter),
                             (1.0, Qt.AlignmentFlag.AlignRight)):  # fmt: skip
            area = QRectF(LEFT_PX, top, self.width() - LEFT_PX - RIGHT_PX, FOOT_PX)
            painter.drawText(area, int(where | Qt.AlignmentFlag.AlignVCenter), f"{low + share * (high - low):.3g}")

    # ---- the mouse ----------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        found = self.case_at(event.position())
        if found is not None:
            self.case_chosen.emit(self._cases[found[1]])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        near = self.case_at(event.position()) is not None
        self.setCursor(Qt.CursorShape.PointingHandCursor if near else Qt.CursorShape.ArrowCursor)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            found = self.case_at(QPointF(event.pos()))
            if found is not None:
                row, case = found
                strip = self._strips[row]
                QToolTip.showText(event.globalPos(), f"{self._cases[case]}: {strip.name} {strip.values[case]:.3f}")
            return True
        return super().event(event)
