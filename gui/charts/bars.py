"""Numbers by name as lying bars, on both sides of nothing where some are negative: importance, contributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.theme import theme
from gui.theme.structures import structure_colours

ROW_PX = 24
NAME_SHARE, MOST_SHARE = 0.38, 0.56  # of the width, for the names and their notes
VALUE_PX = 64
NAME_MARGIN_PX = 12
LEAST_NAME_PX = 64


@dataclass(frozen=True)
class Bar:
    """note: said beside the name, such as the value that a contribution belongs to. low, high: an interval."""

    name: str
    value: float
    note: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def title(self) -> str:
        """The name with its note."""
        return f"{self.name} = {self.note}" if self.note else self.name

    @property
    def said(self) -> str:
        between = f" ({self.low:.3g} to {self.high:.3g})" if self.low is not None and self.high is not None else ""
        return f"{self.title}: {self.value:+.3g}{between}"


def _shortened(metrics: QFontMetrics, bar: Bar, width: int) -> str:
    """Name and note in so many pixels: the name is cut first, since half a value would be another one."""
    note = f" = {bar.note}" if bar.note else ""
    room = width - metrics.horizontalAdvance(note)
    if room < min(LEAST_NAME_PX, metrics.horizontalAdvance(bar.name)):
        return metrics.elidedText(bar.name, Qt.TextElideMode.ElideRight, width)
    # Names of one table often begin alike: their ends tell them apart.
    return metrics.elidedText(bar.name, Qt.TextElideMode.ElideMiddle, room) + note


class BarChart(QWidget):
    """As high as its bars; a click chooses one. warm_rises: in the colours of maps, where what adds is orange."""

    chosen = Signal(str)

    def __init__(
        self, name: str, title: str, *, form: str = "{:.3g}", warm_rises: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._form = form
        self._warm_rises = warm_rises
        self.bars: list[Bar] = []
        self._hovered = -1
        theme().changed.connect(self.update)

    def show_bars(self, bars: Sequence[Bar]) -> None:
        self.bars = list(bars)
        self.setAccessibleDescription("; ".join(bar.said for bar in self.bars))
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, ROW_PX * max(len(self.bars), 1))

    def _scale(self) -> tuple[float, float]:
        """The lowest and highest value there is room for."""
        edges = [edge for bar in self.bars for edge in (bar.value, bar.low, bar.high) if edge is not None]
        return min([0.0, *edges]), max([0.0, *edges]) or (1.0 if min([0.0, *edges]) == 0 else 0.0)

    def name_px(self) -> float:
        """How wide the names are, with their notes: as wide as they need, up to a share of the chart."""
        widest = max((self.fontMetrics().horizontalAdvance(bar.title) for bar in self.bars), default=0)
        return min(max(self.width() * NAME_SHARE, widest + NAME_MARGIN_PX), self.width() * MOST_SHARE)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        low, high = self._scale()
        maps = structure_colours(({"label": 1}, {"label": 2}))  # as the maps beside have them
        metrics, left = painter.fontMetrics(), self.name_px()
        right = self.width() - VALUE_PX
        middle = int(Qt.AlignmentFlag.AlignVCenter)

        def x_of(value: float) -> float:
            return left + (value - low) / ((high - low) or 1) * (right - left)

        rises, falls = (maps[1], maps[2]) if self._warm_rises else (theme().color("accent"), theme().color("warn"))
        painter.setPen(QPen(theme().color("line"), 1))
        painter.drawLine(QPointF(x_of(0), 0), QPointF(x_of(0), ROW_PX * len(self.bars)))
        for row, bar in enumerate(self.bars):
            top = row * ROW_PX
            if row == self._hovered:
                painter.fillRect(QRectF(0, top, self.width(), ROW_PX), theme().color("hover"))
            shown = _shortened(metrics, bar, int(left) - NAME_MARGIN_PX)
            painter.setPen(theme().color("text"))
            painter.drawText(
                QRectF(0, top, left - NAME_MARGIN_PX, ROW_PX), middle | int(Qt.AlignmentFlag.AlignLeft), shown
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(rises if bar.value >= 0 else falls)
            ends = sorted((x_of(0), x_of(bar.value)))
            painter.drawRoundedRect(QRectF(ends[0], top + 5, max(ends[1] - ends[0], 1), ROW_PX - 10), 2, 2)
            if bar.low is not None and bar.high is not None:
                painter.setPen(QPen(theme().color("text"), 1))
                half = top + ROW_PX / 2
                painter.drawLine(QPointF(x_of(bar.low), half), QPointF(x_of(bar.high), half))
            painter.setPen(theme().color("dim"))
            value = self._form.format(bar.value)
            area = QRectF(right + 8, top, VALUE_PX - 8, ROW_PX)
            painter.drawText(area, middle | int(Qt.AlignmentFlag.AlignRight), value)

    def _row(self, y: float) -> int:
        row = int(y // ROW_PX)
        return row if 0 <= row < len(self.bars) else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hovered = self._row(event.position().y())
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        self._hovered = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self._row(event.position().y())
        if row >= 0:
            self.chosen.emit(self.bars[row].name)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            row = self._row(event.pos().y())
            if row >= 0:
                QToolTip.showText(event.globalPos(), self.bars[row].said)
            return True
        return super().event(event)
