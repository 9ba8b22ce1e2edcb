"""Filled stays drawn over the truth: what was measured as a line, what was hidden as rings, what was put there."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.data.stays.known import MEASUREMENTS
from gui.stays.filling import FilledStays, Row
from gui.theme import theme

ROW_PX, NAME_PX, FOOT_PX, MARGIN_PX = 62, 16, 18, 8
MOST_ROWS = 6
POINT_PX, RING_PX = 1.6, 3.2


class FilledView(QWidget):
    """A few variables of one stay under one another, those of which most was hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("filled-stay")
        self.setAccessibleName("What was put into hidden measurements")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.rows: list[Row] = []
        self._end = 1.0
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(268, ROW_PX * max(len(self.rows), 1) + FOOT_PX)

    def show_stay(self, stays: FilledStays | None, number: int = 0) -> None:
        self.rows = [] if stays is None else stays.rows(number, MOST_ROWS)
        self._end = 1.0 if stays is None else max(float(stays.hours[-1]), 1.0)
        self.setAccessibleDescription("; ".join(said(row) for row in self.rows))
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, row in enumerate(self.rows):
            self._draw(painter, row, number * ROW_PX)
        painter.setPen(theme().color("dim"))
        for part in (0.0, 0.5, 1.0):
            side = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignRight)[
                round(2 * part)
            ]
            area = QRectF(MARGIN_PX, len(self.rows) * ROW_PX, self.width() - 2 * MARGIN_PX, FOOT_PX)
            painter.drawText(area, int(side | Qt.AlignmentFlag.AlignVCenter), f"{part * self._end:g} h")

    def _draw(self, painter: QPainter, row: Row, top: int) -> None:
        inside = QRectF(MARGIN_PX, top + NAME_PX + 6, self.width() - 2 * MARGIN_PX, ROW_PX - NAME_PX - 12)
        shown = np.concatenate([row.values, row.filled[row.hidden]])
        low, high = float(shown.min()), float(shown.max())
        if high <= low:
            low, high = low - 1, high + 1

        def at(hours: float, value: float) -> QPointF:
            return QPointF(
                inside.left() + hours / self._end * inside.width(),
                inside.bottom() - (value - low) / (high - low) * inside.height(),
            )

        known = MEASUREMENTS.get(row.name)
        unit = f" {known.unit}" if known and known.unit else ""
        name = QRectF(MARGIN_PX, top + 3, inside.width(), NAME_PX)
        painter.setPen(theme().color("text"))
        painter.drawText(name, int(Qt.AlignmentFlag.AlignLeft), row.name)
        painter.setPen(theme().color("dim"))
        painter.drawText(name, int(Qt.AlignmentFlag.AlignRight), f"{low:.3g} – {high:.3g}{unit}")
        painter.setPen(QPen(theme().color("line"), 1))
        painter.drawLine(QPointF(0, top + ROW_PX - 1), QPointF(self.width(), top + ROW_PX - 1))
        truth = [at(h, v) for h, v in zip(row.hours.tolist(), row.values.tolist(), strict=True)]
        painter.setPen(QPen(theme().color("accent"), 1.1))
        painter.drawPolyline(QPolygonF(truth))
        for point, hours, hidden, filled in zip(
            truth, row.hours.tolist(), row.hidden.tolist(), row.filled.tolist(), strict=True
        ):
            if not hidden:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme().color("accent"))
                painter.drawEllipse(point, POINT_PX, POINT_PX)
                continue
            put = at(hours, filled)
            painter.setPen(QPen(theme().color("warn"), 1, Qt.PenStyle.DotLine))
            painter.drawLine(point, put)
            painter.setPen(QPen(theme().color("accent"), 1.3))
            painter.setBrush(theme().color("panel"))
            painter.drawEllipse(point, RING_PX, RING_PX)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color("warn"))
            painter.drawEllipse(put, RING_PX - 0.6, RING_PX - 0.6)


def said(row: Row) -> str:
    """A row in words, for those who hear it."""
    off = np.abs(row.filled - row.values)[row.hidden]
    return f"{row.name}: {len(off)} hidden of {len(row.values)}, off by {off.mean():.3g} on the mean"


def caption(stays: FilledStays) -> str:
    """What is drawn, and how good it is."""
    off = "" if math.isnan(stays.error) else f" Off by {stays.error:.2f} of a variable's spread on the mean."
    return f"Epoch {stays.epoch}: rings were hidden, orange was put there.{off}"
