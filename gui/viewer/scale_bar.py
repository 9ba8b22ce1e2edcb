"""A bar of a round number of millimetres, so that sizes can be judged at a glance."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from gui.theme.theme import theme

SHARE = 0.22  # of the view's width that the bar takes at most
NARROWEST_PX = 20.0


def round_length_mm(most_mm: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `most_mm`.

    >>> [round_length_mm(mm) for mm in (7.0, 49.9, 50.0, 0.3)]
    [5.0, 20.0, 50.0, 0.2]
    """
    power = 10.0 ** math.floor(math.log10(most_mm))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= most_mm * 1.000001)


def draw_scale_bar(painter: QPainter, area: QRectF, px_per_mm: float, *, below: float = 0.0) -> None:
    """Draw the bar in the lower right corner of `area`. px_per_mm: along the picture's rows."""
    most = area.width() * SHARE
    if px_per_mm <= 0 or most < NARROWEST_PX:
        return
    length_mm = round_length_mm(most / px_per_mm)
    width = length_mm * px_per_mm
    right, y = area.right(), area.bottom() - 3 - below
    left = right - width
    for pen in (QPen(theme().color("view_ground"), 4), QPen(theme().color("view_dim"), 1.5)):
        painter.setPen(pen)
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        for x in (left, right):
            painter.drawLine(QPointF(x, y - 4), QPointF(x, y))
    words = f"{length_mm:g} mm"
    metrics = painter.fontMetrics()
    text = QRectF(right - metrics.horizontalAdvance(words) - 1, y - 6 - metrics.height(), 0, metrics.height())
    text.setRight(right)
    painter.setPen(theme().color("view_ground"))
    for x, dy in ((1, 1), (-1, 0), (0, -1)):
        painter.drawText(text.translated(x, dy), int(Qt.AlignmentFlag.AlignRight), words)
    painter.setPen(theme().color("view_dim"))
    painter.drawText(text, int(Qt.AlignmentFlag.AlignRight), words)
