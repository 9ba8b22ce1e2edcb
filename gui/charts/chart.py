"""Base of the charts: a card with a title, a plot with named axes, and a line that reads out what is pointed at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from gui.charts.axis import Axis
from gui.theme import theme
from gui.widgets.labels import LinesLabel, label

LEAST_PX = 180
READ_LINES = 2
Item = TypeVar("Item")


class Chart(QFrame):
    """Subclasses draw in `_draw`, which is called again when the theme changes, and answer `read_out`."""

    pointed = Signal(float, float)  # a place in the plot was clicked or is dragged over, in the axes' units

    def __init__(self, title: str, name: str, across: str, up: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.title = label(title, "strong")
        self.told = label("", "dim")
        self.read = LinesLabel()
        self.read.setTextFormat(Qt.TextFormat.PlainText)
        self.read.setWordWrap(True)
        self.read.setProperty("role", "small")
        self.read.setObjectName(f"{name}-readout")
        self.read.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.read.setFixedHeight(READ_LINES * self.read.fontMetrics().lineSpacing())  # another text moves nothing
        self.plot = pg.PlotWidget(axisItems={"left": Axis("left"), "bottom": Axis("bottom")})
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(False, False)
        self.plot.setFrameShape(QFrame.Shape.NoFrame)
        self.plot.setMinimumHeight(LEAST_PX)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.getPlotItem().setContentsMargins(0, 0, 4, 0)
        self._names = {"bottom": across, "left": up}
        self.plot.scene().sigMouseMoved.connect(self._hover)
        self.plot.scene().sigMouseClicked.connect(lambda event: self._clicked(event.scenePos()))
        self._items: list[object] = []
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.told)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 8, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.plot, 1)
        column.addWidget(self.read)
        theme().changed.connect(self._restyle)

    def read_out(self, x: float, y: float) -> str:
        """What stands at a place of the plot, in words."""
        return ""

    def resting(self) -> str:
        """What is read out while nothing is pointed at."""
        return ""

    def _draw(self) -> None:
        raise NotImplementedError

    # ---- for subclasses -----------------------------------------------------------------------------------------

    def tell(self, figure: str, description: str) -> None:
        """The figure beside the title, and the whole chart in words for those who cannot see it."""
        self.told.setText(figure)
        self.setAccessibleDescription(description)

    def redraw(self) -> None:
        for item in self._items:
            self.plot.removeItem(item)
        self._items = []
        self._restyle_axes()
        self._draw()
        self.read.setText(self.resting())

    def line(
        self, x: Sequence[float], y: Sequence[float], role: str, width: float = 1.8, *, dashed: bool = False
    ) -> pg.PlotDataItem:
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        item = pg.PlotDataItem(
            np.asarray(x, float), np.asarray(y, float), pen=pg.mkPen(self.colour(role), width=width, style=style),
            antialias=True,
        )  # fmt: skip
        return self.add(item)

    def points(self, x: Sequence[float], y: Sequence[float], role: str, size: float = 8) -> pg.ScatterPlotItem:
        edge = pg.mkPen(self.colour("raised"), width=1.5)
        item = pg.ScatterPlotItem(
            np.asarray(x, float), np.asarray(y, float), size=size, brush=pg.mkBrush(self.colour(role)), pen=edge
        )
        return self.add(item)

    def add(self, item: Item) -> Item:
        self.plot.addItem(item)
        self._items.append(item)
        return item

    def span(self, x: tuple[float, float], y: tuple[float, float], margin: float = 0.04) -> None:
        """What part of the plane is seen."""
        self.plot.setRange(xRange=x, yRange=y, padding=margin)

    def colour(self, role: str) -> QColor:
        return QColor(role) if role.startswith("#") else theme().color(role)

    # ---- looks and mouse ----------------------------------------------------------------------------------------

    def _restyle(self) -> None:
        self.redraw()

    def _restyle_axes(self) -> None:
        dim, grid = theme().color("dim"), QColor(theme().color("line"))
        for side, words in self._names.items():
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(grid))
            axis.setTextPen(pg.mkPen(dim))
            axis.setTickFont(self.font())
            axis.setStyle(tickLength=0, maxTickLevel=0)
            axis.setLabel(words, color=dim.name(), **{"font-size": "12px"})
        self.plot.setBackground(theme().color("raised"))
        self.plot.showGrid(x=True, y=True, alpha=0.4)

    def _place(self, scene: QPointF) -> tuple[float, float] | None:
        view = self.plot.getViewBox()
        if not view.sceneBoundingRect().contains(scene):
            return None
        place = view.mapSceneToView(scene)
        return float(place.x()), float(place.y())

    def _hover(self, scene: QPointF) -> None:
        place = self._place(scene)
        self.read.setText(self.read_out(*place) if place is not None else self.resting())

    def _clicked(self, scene: QPointF) -> None:
        place = self._place(scene)
        if place is not None:
            self.pointed.emit(*place)

    def leaveEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        self.read.setText(self.resting())
        super().leaveEvent(event)  # type: ignore[arg-type]


def nearest(x: Sequence[float], y: Sequence[float], at: tuple[float, float]) -> int:
    """Which point lies nearest, where both axes count the same; -1 where there is none.

    >>> nearest([0, 1, 2], [0, 1, 0], (1.2, 0.8))
    1
    """
    if not len(x):
        return -1
    return int(np.argmin(np.hypot(np.asarray(x) - at[0], np.asarray(y) - at[1])))


def shown(value: float | None, digits: int = 2) -> str:
    """
    >>> shown(0.5), shown(None)
    ('0.50', '–')
    """
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
