"""A run's figures and curves, drawn at most ten times a second."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from core import registry
from gui.metric_names import metric_name, metric_title
from gui.theme.structures import structure_colours
from gui.train.curves import Curve, CurveCard
from gui.train.data_kinds import kind_of
from gui.train.history import PACE, History, duration_text, figure_text
from gui.widgets.cards import card, scrolled
from gui.widgets.flow import Flow
from gui.widgets.labels import label

TURN_MS = 20  # a part each: a few parts are drawn at most ten times a second
LOSS, RATE, PACE_GROUP, WAITING = "loss", "lr", "samples_per_s", "waiting_share"
SEEN_AT_ONCE = 4  # cards that share the height there is; of more, each has its least height and the page scrolls
CARD_PX = 220
BESIDE_PX = 260  # the least width of a card that has another beside it: names, figures and axis fit
USUAL = ("dice", "auroc", "auprc", "r2", "pearson", "mae", "accuracy")  # what is looked at first, of what there is
COLOURS = {"train": "accent", "val": "warn", RATE: "ok", PACE_GROUP: "dim"}


class FigureCard(QWidget):
    """One number that matters, with its name above and a word beside it."""

    def __init__(self, title: str, name: str) -> None:
        super().__init__()
        frame, inside = card()
        self.title = label(title, "dim")
        self.figure = label("–", "figure")
        self.figure.setObjectName(name)
        self.note = label("", "small")
        self.note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom)
        row = QHBoxLayout()
        row.addWidget(self.figure)
        row.addWidget(self.note, 1)
        inside.addWidget(self.title)
        inside.addLayout(row)
        around = QHBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(frame)

    def show_figure(self, text: str, note: str = "", title: str = "") -> None:
        if title:
            self.title.setText(title)
        self.figure.setText(text)
        self.figure.setAccessibleName(f"{self.title.text()}: {text} {note}".strip())
        self.note.setText(note)


class Dashboard(QWidget):
    """Shows a `History`; `refresh` may be called as often as one likes.

    What the run logs says which figures and curves there are: the metric it is judged by first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("dashboard")
        self._history = History()
        self.monitor = FigureCard("", "figure-monitor")
        self.epoch = FigureCard("Epoch", "figure-epoch")
        self.left = FigureCard("Left", "figure-left")
        self.pace = FigureCard("", "figure-pace")
        self.cards: dict[str, CurveCard] = {}  # by group
        self._cells: list[QWidget] = []  # empty ones below the cards
        self._shown: list[str] = []
        self._columns = 2
        self._waiting: list[Callable[[History], None]] = []
        self._turn = QTimer(self)
        self._turn.setInterval(TURN_MS)
        self._turn.timeout.connect(self._draw_next)
        self._build()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(16)
        figures = Flow(4, 12)
        figures.show_widgets([self.monitor, self.epoch, self.left, self.pace])
        column.addWidget(figures)
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(16)
        self._scroll = scrolled(inside)
        column.addWidget(self._scroll, 1)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setObjectName("smoothing")
        self.smoothing.setAccessibleName("Smoothing of the curves")
        self.smoothing.setToolTip("Each value becomes the mean of so many steps, at most a tenth of the run")
        self.smoothing.setRange(0, 30)  # tenths of a decade: 1 to 1000 steps
        self.smoothing.setMinimumWidth(60)
        self.smoothing.setMaximumWidth(140)
        self.smoothing.valueChanged.connect(self._smooth)
        self.smoothing_text = label("", "small")
        self.smoothing_text.setMinimumWidth(64)
        self.log = QCheckBox("Log scale")
        self.log.setObjectName("log-loss")
        self.log.setAccessibleName("Loss on a logarithmic scale")
        self.log.toggled.connect(lambda on: LOSS in self.cards and self.cards[LOSS].set_log(on))
        tools = QHBoxLayout()
        tools.setSpacing(8)
        tools.addWidget(label("Smoothing", "dim"))
        tools.addWidget(self.smoothing, 1)
        tools.addWidget(self.smoothing_text)
        tools.addStretch(1)
        tools.addWidget(self.log)
        column.addLayout(tools)
        self.smoothing.setValue(17)

    def refresh(self, history: History) -> None:
        """Draw this history within a tenth of a second, together with whatever else comes until then."""
        if history is not self._history:
            self._take_down()
        self._history = history
        if not self._waiting:
            self._waiting = [self._show_figures, self._arrange]
            self._turn.start()

    def _take_down(self) -> None:
        """Another run's curves are not seen under this one's name; and showing them all at once takes its time."""
        self._waiting, self._shown = [], []
        for one in self.cards.values():
            self._grid.removeWidget(one)
            one.hide()

    def _draw_next(self) -> None:
        """One part a turn: all at once would hold up whatever the user does meanwhile."""
        if self._waiting:
            self._waiting.pop(0)(self._history)
        if not self._waiting:
            self._turn.stop()

    def _arrange(self, history: History) -> None:
        """Give each group of series its card, and have the cards put up and drawn one after another."""
        found = groups(history)
        if list(found) != self._shown:
            before, self._shown = {group: place for place, group in enumerate(self._shown)}, list(found)
            kept = {group for place, group in enumerate(found) if before.get(group) == place and group in self.cards}
            for group, one in self.cards.items():
                if group not in kept:
                    self._grid.removeWidget(one)
                    one.hide()
            self._make_room(len(found))
            for place, group in enumerate(found):
                if group not in kept:
                    self._waiting.append(lambda history, group=group, place=place: self._put_up(history, group, place))
        for group, series in found.items():
            self._waiting.append(lambda history, group=group, series=series: self._draw(history, group, series))

    def _make_room(self, count: int) -> None:
        """Give all cells their size before their cards come, so that a new card moves, and repaints, no other."""
        places = max(count, SEEN_AT_ONCE)
        while len(self._cells) < places:
            place = len(self._cells)
            self._cells.append(QWidget())
            self._place(self._cells[-1], place)
        scrolls = count > SEEN_AT_ONCE * self._columns // 2
        for place, cell in enumerate(self._cells):
            cell.setMinimumHeight(CARD_PX if scrolls else 0)
            cell.setVisible(place < places)
        for column in (0, 1):
            self._grid.setColumnStretch(column, int(column < self._columns))
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, int(row * self._columns < places))

    def _place(self, widget: QWidget, place: int) -> None:
        self._grid.addWidget(widget, place // self._columns, place % self._columns)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Two cards a row, or in a narrow window one."""
        super().resizeEvent(event)
        around = self.layout().contentsMargins()
        room = event.size().width() - around.left() - around.right() - self._grid.spacing()
        columns = 2 if room >= 2 * BESIDE_PX else 1
        if columns != self._columns:
            self._columns = columns
            for place, cell in enumerate(self._cells):
                self._place(cell, place)
            for place, group in enumerate(self._shown):
                if group in self.cards and not self.cards[group].isHidden():
                    self._place(self.cards[group], place)
            self._make_room(len(self._shown))

    def _put_up(self, history: History, group: str, place: int) -> None:
        card = self._card(group, history)
        self._place(card, place)
        card.raise_()
        card.show()

    def _card(self, group: str, history: History) -> CurveCard:
        if group not in self.cards:
            title = f"{_unit(history)} / s" if group == PACE_GROUP else metric_name(group)
            form = {RATE: "{:.2g}", PACE_GROUP: "{:.1f}"}.get(group, "{:.3f}")
            self.cards[group] = CurveCard(title, f"curves-{group}", form=form)
            if group == LOSS:
                self.cards[group].set_log(self.log.isChecked())
            if group != RATE:
                self.cards[group].set_smoothing(self._steps())
        return self.cards[group]

    def _draw(self, history: History, group: str, series: dict[str, str]) -> None:
        apart = not set(series.values()) <= {"train", "val", ""}
        colours = structure_colours({"label": n, "name": name} for n, name in enumerate(series.values(), 1))
        curves = []
        for number, (key, name) in enumerate(series.items(), 1):
            points = history.series.get(key)
            if points is not None:
                colour = colours[number].name() if apart else COLOURS.get(name or group, "accent")
                curves.append(Curve(name, points.steps, points.values, colour))
        self.cards[group].show_curves(curves, history.steps_per_epoch)

    def _show_figures(self, history: History) -> None:
        run = history.run
        self.setAccessibleName(f"Dashboard of {run.name}" if run is not None else "Dashboard")
        if run is None:
            for figure in (self.monitor, self.epoch, self.left, self.pace):
                figure.show_figure("–")
            return
        key = history.monitor
        best = history.best(key)
        self.monitor.show_figure(
            figure_text(history.last(key)), f"best {best:.3f}" if math.isfinite(best) else "", title=metric_title(key)
        )
        self.epoch.show_figure(f"{run.epoch} / {run.epochs}")
        if run.live:
            self.left.show_figure(duration_text(history.seconds_left()), title="Left")
        else:
            took = run.ended - run.started if run.started and run.ended else math.nan
            self.left.show_figure(duration_text(took), title="Took")
        pace = history.last(PACE)
        self.pace.show_figure(figure_text(pace, 0 if pace >= 100 else 1), title=f"{_unit(history)} / s")

    def _steps(self) -> int:
        """How many steps a curve is smoothed over."""
        return round(10 ** (self.smoothing.value() / 10))

    def _smooth(self, value: int) -> None:
        steps = self._steps()
        self.smoothing_text.setText(f"{steps} steps" if value else "off")
        for group, one in self.cards.items():
            if group != RATE:  # the learning rate is exact: nothing to smooth
                one.set_smoothing(steps)


def groups(history: History) -> dict[str, dict[str, str]]:
    """The series that are drawn together: for each metric, the keys with what each is called in the drawing.

    The metric that the run is judged by comes first, then the loss; the learning rate and the pace come last. Where a
    metric is given one by one (for structures, say), these are drawn and their mean is not.
    """
    found: dict[str, dict[str, str]] = {}
    for key in sorted(history.series, key=lambda key: not key.startswith("train/")):  # its curve is named first
        part, _, rest = key.partition("/")
        if part in ("train", "val"):
            name, _, one = rest.partition("/")
            found.setdefault(name, {})[key] = one or part
        elif part != "test":  # measured once, at the end: a figure and no curve
            found.setdefault(key, {})[key] = ""
    for name, series in found.items():
        ones = {key: text for key, text in series.items() if text not in ("train", "val", "")}
        if ones:
            found[name] = ones
    monitored = history.monitor.partition("/")[2]
    last = (RATE, PACE_GROUP, WAITING)
    order = [monitored, LOSS, *USUAL, *(name for name in found if name not in last), *last]
    return {name: found[name] for name in dict.fromkeys(order) if name in found}


def _unit(history: History) -> str:
    """What a step is made of, for people."""
    task = registry.parts("task").get(history.run.task) if history.run is not None else None
    return kind_of(task).unit if task is not None else "Samples"


def side_panel(width: int) -> tuple[QFrame, QVBoxLayout]:
    """A column at a side of the page."""
    frame = QFrame()
    frame.setProperty("role", "panel")
    frame.setMinimumWidth(width)
    inside = QVBoxLayout(frame)
    inside.setContentsMargins(16, 12, 16, 12)
    inside.setSpacing(8)
    return frame, inside
