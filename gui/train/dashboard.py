"""A run's figures and curves, drawn at most ten times a second."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from gui.theme.structures import structure_colours
from gui.train.curves import Curve, CurveCard
from gui.train.history import DICE, History, duration_text, figure_text
from gui.widgets.cards import card
from gui.widgets.labels import label

TURN_MS = 20  # five parts: each is drawn at most ten times a second


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
    """Shows a `History`; `refresh` may be called as often as one likes."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("dashboard")
        self._history = History()
        self.dice = FigureCard("Dice, validation", "figure-dice")
        self.epoch = FigureCard("Epoch", "figure-epoch")
        self.left = FigureCard("Left", "figure-left")
        self.pace = FigureCard("Patches / s", "figure-pace")
        self.loss_card = CurveCard("Loss", "curves-loss")
        self.dice_card = CurveCard("Dice", "curves-dice")
        self.rate_card = CurveCard("Learning rate", "curves-rate", form="{:.2g}")
        self.pace_card = CurveCard("Patches / s", "curves-pace", form="{:.1f}")
        self.cards = (self.loss_card, self.dice_card, self.rate_card, self.pace_card)
        self._waiting: list[Callable[[History], None]] = []
        self._turn = QTimer(self)
        self._turn.setInterval(TURN_MS)
        self._turn.timeout.connect(self._draw_next)
        self._build()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(16)
        figures = QHBoxLayout()
        figures.setSpacing(12)
        for figure in (self.dice, self.epoch, self.left, self.pace):
            figures.addWidget(figure, 1)
        column.addLayout(figures)
        grid = QGridLayout()
        grid.setSpacing(16)
        for index, one in enumerate(self.cards):
            grid.addWidget(one, index // 2, index % 2)
        for half in (0, 1):
            grid.setColumnStretch(half, 1)
            grid.setRowStretch(half, 1)
        column.addLayout(grid, 1)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setObjectName("smoothing")
        self.smoothing.setAccessibleName("Smoothing of the curves")
        self.smoothing.setRange(0, 30)  # tenths of a decade: 1 to 1000 steps
        self.smoothing.setFixedWidth(140)
        self.smoothing.valueChanged.connect(self._smooth)
        self.smoothing_text = label("", "small")
        self.smoothing_text.setMinimumWidth(64)
        self.log = QCheckBox("Loss on a log scale")
        self.log.setObjectName("log-loss")
        self.log.setAccessibleName("Loss on a logarithmic scale")
        self.log.toggled.connect(self.loss_card.set_log)
        tools = QHBoxLayout()
        tools.setSpacing(8)
        tools.addWidget(label("Smoothing", "dim"))
        tools.addWidget(self.smoothing)
        tools.addWidget(self.smoothing_text)
        tools.addStretch(1)
        tools.addWidget(self.log)
        column.addLayout(tools)
        self.smoothing.setValue(17)

    def refresh(self, history: History) -> None:
        """Draw this history within a tenth of a second, together with whatever else comes until then."""
        self._history = history
        if not self._waiting:
            self._waiting = self._parts()
            self._turn.start()

    def _parts(self) -> list[Callable[[History], None]]:
        return [self._show_figures, self._show_loss, self._show_dice, self._show_rate, self._show_pace]

    def _draw_next(self) -> None:
        """One part a turn: all at once would hold up whatever the user does meanwhile."""
        if self._waiting:
            self._waiting.pop(0)(self._history)
        if not self._waiting:
            self._turn.stop()

    def _show_loss(self, history: History) -> None:
        series = {"train/loss": ("train", "accent"), "val/loss": ("val", "warn")}
        self.loss_card.show_curves(self._named(history, series), history.steps_per_epoch)

    def _show_dice(self, history: History) -> None:
        colours = structure_colours({"label": n, "name": name} for n, name in enumerate(history.structures, 1))
        structures = {
            DICE + name: (name, colours[number].name()) for number, name in enumerate(history.structures, 1)
        } or {"val/dice": ("mean", "accent")}
        self.dice_card.show_curves(self._named(history, structures), history.steps_per_epoch)

    def _show_rate(self, history: History) -> None:
        self.rate_card.show_curves(self._named(history, {"lr": ("", "ok")}), history.steps_per_epoch)

    def _show_pace(self, history: History) -> None:
        series = {"train/samples_per_s": ("", "dim")}
        self.pace_card.show_curves(self._named(history, series), history.steps_per_epoch)

    def _named(self, history: History, wanted: dict[str, tuple[str, str]]) -> list[Curve]:
        found = ((history.series.get(key), name, colour) for key, (name, colour) in wanted.items())
        return [
            Curve(name, points.steps, points.values, colour) for points, name, colour in found if points is not None
        ]

    def _show_figures(self, history: History) -> None:
        run = history.run
        self.setAccessibleName(f"Dashboard of {run.name}" if run is not None else "Dashboard")
        best = history.best()
        self.dice.show_figure(figure_text(history.last("val/dice")), f"best {best:.3f}" if math.isfinite(best) else "")
        if run is None:
            for figure in (self.epoch, self.left, self.pace):
                figure.show_figure("–")
            return
        self.epoch.show_figure(f"{run.epoch} / {run.epochs}")
        if run.live:
            self.left.show_figure(duration_text(history.seconds_left()), title="Left")
        else:
            took = run.ended - run.started if run.started and run.ended else math.nan
            self.left.show_figure(duration_text(took), title="Took")
        self.pace.show_figure(figure_text(history.last("train/samples_per_s"), 1))

    def _smooth(self, value: int) -> None:
        steps = round(10 ** (value / 10))
        self.smoothing_text.setText(f"{steps} steps" if value else "off")
        # The learning rate is exact: nothing to smooth.
        for one in (self.loss_card, self.dice_card, self.pace_card):
            one.set_smoothing(steps)


def side_panel(width: int) -> tuple[QFrame, QVBoxLayout]:
    """A column at a side of the page."""
    frame = QFrame()
    frame.setProperty("role", "panel")
    frame.setMinimumWidth(width)
    inside = QVBoxLayout(frame)
    inside.setContentsMargins(16, 12, 16, 12)
    inside.setSpacing(8)
    return frame, inside
