"""One card with live curves: smoothed over faint raw lines, a readout of the newest or the hovered values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QSize, Qt
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QSizePolicy, QVBoxLayout

from gui.charts.axis import Axis
from gui.theme import theme
from gui.train.history import figure_text, smoothed
from gui.widgets.labels import LinesLabel, label

RAW_ALPHA = 28
NO_EPOCHS = math.nan
BINS = 600
LEAST_NAME_PX = 24
BELOW, BESIDE = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
MOST_SMOOTHED = 10  # a mean is taken over at most this part of a curve, which would be flat otherwise


@dataclass(frozen=True)
class Curve:
    """A series to draw. x counts steps; a role of the theme or a colour says how it looks."""

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: str


class _Readout(LinesLabel):
    """As high as its lines are in the width that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)  # holds our own words and numbers, escaped
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(0, self.heightForWidth(self.width())) if self.wordWrap() else super().sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return QSize(0, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()  # the hint follows from the width


class CurveCard(QFrame):
    """Curves over training. Drawn only in `show_curves`, so that whoever owns the card says how often."""

    def __init__(self, title: str, name: str, *, form: str = "{:.3f}", whole: bool = False) -> None:
        """`whole`: x already counts whole epochs."""
        super().__init__()
        self.setProperty("role", "card")
        self.setObjectName(name)
        self.setAccessibleName(f"{title} over training")
        self._form = form
        self._epoch_form = "epoch {:.0f}" if whole else "epoch {:.1f}"
        self._curves: list[Curve] = []
        self._steps_per_epoch = NO_EPOCHS
        self._smoothing = 0.0
        self._hovered: float | None = None
        self._items: list[tuple[pg.PlotDataItem, pg.PlotDataItem]] = []
        self.readout = _Readout()
        self._whole = whole
        self._head = head = QBoxLayout(BELOW if whole else BESIDE)  # names of runs are long: a line of their own
        self._title = label(title, "strong")
        head.addWidget(self._title)
        head.addWidget(self.readout, 1)
        self._needed = 0  # the widest that the readout of these names has been, beside the title
        self._arrange()
        self.plot = pg.PlotWidget(axisItems={"left": Axis("left"), "bottom": Axis("bottom")})
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(False, False)
        self.plot.setFrameShape(QFrame.Shape.NoFrame)
        self.plot.setMinimumHeight(120)
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.getPlotItem().setContentsMargins(0, 0, 4, 0)
        self.plot.getAxis("left").setWidth(58)
        self.plot.getAxis("bottom").setHeight(22)
        self._across = pg.LabelItem("", justify="right")  # what the axis counts, in the corner left of its numbers
        self.plot.getPlotItem().layout.addItem(self._across, 3, 0)
        self._line = pg.InfiniteLine(angle=90, movable=False)
        self._line.hide()
        self.plot.addItem(self._line, ignoreBounds=True)
        self.plot.scene().sigMouseMoved.connect(self._hover)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 8, 6)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.plot, 1)
        theme().changed.connect(self._restyle)
        self._restyle()
        self.readout.installEventFilter(self)

    def set_title(self, title: str) -> None:
        self._title.setText(title)
        self.setAccessibleName(f"{title} over training")

    def show_curves(self, curves: list[Curve], steps_per_epoch: float = NO_EPOCHS) -> None:
        """Draw these series; the x axis counts epochs once their length is known."""
        before = (self._curves, self._steps_per_epoch)
        if self._items and _same(before, (curves, steps_per_epoch)):
            return
        if [curve.name for curve in curves] != [curve.name for curve in before[0]]:
            self._needed = 0
        self._curves, self._steps_per_epoch = curves, steps_per_epoch
        self._draw()

    def _draw(self) -> None:
        curves, steps_per_epoch = self._curves, self._steps_per_epoch
        known = math.isfinite(steps_per_epoch)
        self.plot.getAxis("bottom").setScale(1 / steps_per_epoch if known else 1.0)
        self._across.setText("epoch" if known else "step", color=theme().color("dim").name(), size="8pt")
        while len(self._items) < len(curves):
            pair = (self.plot.plot(connect="finite"), self.plot.plot(connect="finite", antialias=True))
            self._items.append(pair)
        for (raw, line), curve in zip(self._items, curves, strict=False):
            window = min(self._smoothing, (curve.x[-1] - curve.x[0]) / MOST_SMOOTHED) if len(curve.x) else 0.0
            smooth = window > 1 and len(curve.y) > 2
            colour = self._colour(curve.colour)
            faint = QColor(colour)
            faint.setAlpha(RAW_ALPHA)
            raw.setData(*(extremes(curve.x, curve.y) if smooth else ([], [])))
            raw.setPen(pg.mkPen(faint, width=1))
            line.setData(*extremes(curve.x, smoothed(curve.x, curve.y, window) if smooth else curve.y))
            line.setPen(pg.mkPen(colour, width=1.5))
            # A single value has no line yet: a dot says that it is there.
            line.setSymbol("o" if len(curve.y) == 1 else None)
            line.setSymbolSize(5)
            line.setSymbolBrush(colour)
            line.setSymbolPen(None)
        for pair in self._items[len(curves) :]:
            for item in pair:
                item.setData([], [])
        self._tell()

    def set_smoothing(self, steps: float) -> None:
        self._smoothing = steps
        self._draw()

    def set_log(self, on: bool) -> None:
        self.plot.setLogMode(y=on)

    def _colour(self, name: str) -> QColor:
        return QColor(name) if name.startswith("#") else theme().color(name)

    def _restyle(self) -> None:
        dim, grid = theme().color("dim"), QColor(theme().color("line"))
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(grid))
            axis.setTextPen(pg.mkPen(dim))
            axis.setTickFont(self.font())
            axis.setStyle(tickLength=0, maxTickLevel=0)
        self.plot.setBackground(theme().color("raised"))
        self.plot.showGrid(y=True, alpha=0.5)
        self._line.setPen(pg.mkPen(dim, style=Qt.PenStyle.DashLine))
        self._draw()

    # ---- the readout --------------------------------------------------------------------------------------------

    def _hover(self, place: QPointF) -> None:
        inside = self.plot.getPlotItem().sceneBoundingRect().contains(place)
        self._hovered = self.plot.getViewBox().mapSceneToView(place).x() if inside and self._curves else None
        self._line.setVisible(self._hovered is not None)
        if self._hovered is not None:
            self._line.setPos(self._hovered)
        self._tell()

    def leaveEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        self._hovered = None
        self._line.hide()
        self._tell()
        super().leaveEvent(event)  # type: ignore[arg-type]

    def values_at(self, x: float | None) -> dict[str, float]:
        """The value of each curve at a step, or its newest."""
        found = {}
        for curve in self._curves:
            if len(curve.x):
                place = -1 if x is None else int(np.argmin(np.abs(curve.x - x)))
                found[curve.name] = float(curve.y[place])
        return found

    def _tell(self) -> None:
        colours = {curve.name: self._colour(curve.colour).name() for curve in self._curves}
        dim = theme().color("dim").name()
        figures = {
            name: figure_text(value) if self._form == "{:.3f}" else self._form.format(value)
            for name, value in self.values_at(self._hovered).items()
        }
        self._make_room(figures)
        words = [
            f'<span style="color:{colours[name]}">●</span>&nbsp;<span style="color:{dim}">{_escaped(shown)}</span>'
            f"&nbsp;{figure}"
            for (name, figure), shown in zip(figures.items(), self._shortened(figures), strict=True)
        ]
        if self._hovered is not None and math.isfinite(self._steps_per_epoch):
            words.insert(
                0, f'<span style="color:{dim}">{self._epoch_form.format(self._hovered / self._steps_per_epoch)}</span>'
            )
        self.readout.setText(" &nbsp; ".join(words))

    def _make_room(self, figures: Mapping[str, str]) -> None:
        """Names and figures stand beside the title, and below it, on lines of their own, where that is too narrow."""
        if self._whole or not self.isVisible():
            return
        metrics = self.readout.fontMetrics()
        needed = sum(metrics.horizontalAdvance(f"● {name} {figure}    ") for name, figure in figures.items())
        # Only ever the widest: a figure that gets shorter must not move everything.
        self._needed = max(self._needed, needed)
        # By the card: the layouts inside it still have their old places while it is resized.
        margins = self.layout().contentsMargins()
        room = self.width() - margins.left() - margins.right() - self._title.sizeHint().width() - self._head.spacing()
        direction = BELOW if self._needed > room else BESIDE
        if direction != self._head.direction():
            self._head.setDirection(direction)
            self._arrange()

    def _arrange(self) -> None:
        below = self._head.direction() == BELOW
        self.readout.setWordWrap(below)
        self.readout.setAlignment(Qt.AlignmentFlag.AlignLeft if below else Qt.AlignmentFlag.AlignRight)

    def _shortened(self, figures: Mapping[str, str]) -> list[str]:
        """The names; one that is longer than a line is cut, beside its figure, which never is."""
        metrics = self.readout.fontMetrics()
        if not self.isVisible() or self.readout.width() <= 0:
            return list(figures)
        shown = []
        for name, figure in figures.items():
            room = self.readout.width() - metrics.horizontalAdvance(f"●  {figure}  ")
            shown.append(metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, max(room, LEAST_NAME_PX)))
        self.readout.setToolTip("\n".join(figures) if shown != list(figures) else "")
        return shown

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.readout and event.type() == QEvent.Type.Resize:
            self._tell()
        return super().eventFilter(watched, event)


def extremes(x: np.ndarray, y: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """At most two points for each of `bins` stretches, its lowest and its highest, so that a long series draws fast.

    >>> extremes(np.arange(6), np.array([0, 5, 1, 2, 9, 3]), 2)[1].tolist()
    [0, 5, 2, 9]
    """
    size = len(y) // bins
    if size < 3:
        return x, y
    cut = len(y) - len(y) % size
    rows = np.nan_to_num(y[:cut], nan=0.0).reshape(-1, size)
    start = np.arange(0, cut, size)
    places = np.sort(np.stack([start + rows.argmin(axis=1), start + rows.argmax(axis=1)], axis=1), axis=1).ravel()
    places = np.concatenate([places, np.arange(cut, len(y))])
    return x[places], y[places]


def _same(one: tuple[list[Curve], float], other: tuple[list[Curve], float]) -> bool:
    """Whether two drawings hold the very same arrays: a longer series is a new array."""
    (curves, length), (others, other_length) = one, other
    if len(curves) != len(others) or not (length == other_length or (math.isnan(length) and math.isnan(other_length))):
        return False
    pairs = zip(curves, others, strict=True)
    return all(a.x is b.x and a.y is b.y and (a.name, a.colour) == (b.name, b.colour) for a, b in pairs)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(" ", "&nbsp;").replace("-", "&#8209;")
