"""Opens a large table in the window and trains on it, and measures how late the event loop is meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer

from gui.train.engine import TrainingEngine, training
from tests.benchmarks.inspect_table import experiment_on
from tests.benchmarks.inspect_training import IDLE_SECONDS, TICK_MS, spread
from tests.benchmarks.window import report

LATE_MS = 30.0  # from here on a tick is told with its time


def inspect(window: Any, small: str, large: str) -> None:
    window.watch = Watch(window, Path(small), Path(large))


class Watch(QObject):
    """A 10 ms timer beside it all. A small table comes first, so that the libraries are imported and warm."""

    def __init__(self, window: Any, small: Path, large: Path) -> None:
        super().__init__(window)
        self.window, self.small, self.large = window, small, large
        self.late: dict[str, list[float]] = {}
        self.worst: dict[str, list[tuple[float, float]]] = {}
        self.phase, self.began, self.due = "", 0.0, 0.0
        self.engine: TrainingEngine = training(window.context)
        self.engine.started.connect(window.context.run_requested)
        self.engine.ended.connect(self.ended)
        self.ticks = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=TICK_MS)
        self.ticks.timeout.connect(self.tick)
        self.look = QTimer(self, interval=200)
        self.look.timeout.connect(self.go_on_when_opened)
        window.show_page("train")
        QTimer.singleShot(1000, self, lambda: self.engine.start(experiment_on(small)))

    def enter(self, phase: str) -> None:
        self.phase, self.began = phase, time.perf_counter()
        self.late[phase], self.worst[phase] = [], []
        self.due = self.began + TICK_MS / 1000
        self.ticks.start()

    def ended(self, _run_id: str, failure: Any) -> None:
        if failure is not None:
            report({"error": failure.what})
        if self.phase:
            report({phase: {**spread(late), "late": self.worst[phase]} for phase, late in self.late.items()})
        self.enter("idle")
        QTimer.singleShot(int(IDLE_SECONDS * 1000), self, self.open)

    def open(self) -> None:
        self.window.show_page("tables")
        self.enter("opening")
        self.window.pages["tables"].open(self.large)
        self.look.start()

    def go_on_when_opened(self) -> None:
        if self.window.pages["tables"].opened is not None:
            self.look.stop()
            self.ticks.stop()
            self.window.show_page("train")
            QTimer.singleShot(1000, self, self.train)  # once the page is drawn: that is no part of the training

    def train(self) -> None:
        self.enter("training")
        self.engine.start(experiment_on(self.large))

    def tick(self) -> None:
        now = time.perf_counter()
        late = (now - self.due) * 1000
        self.late[self.phase].append(late)
        if late > LATE_MS:
            self.worst[self.phase].append((round(now - self.began, 2), round(late, 1)))
        self.due = now + TICK_MS / 1000
