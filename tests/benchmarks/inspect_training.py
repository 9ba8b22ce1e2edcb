"""Trains from the window with the dashboard in view, and measures how late the event loop is meanwhile."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer

from core import config
from core.catalog import Catalog
from gui.context import AppContext
from gui.train.engine import TrainingEngine, training
from tests.benchmarks.window import report

TICK_MS = 10
IDLE_SECONDS = 5.0  # the same timer before the run begins: what the machine does to it by itself
FIRST_POINTS = 20  # steps before the watch begins: the libraries are imported and warm by then


def inspect(window: Any, experiment: str, seconds: str) -> None:
    """With `seconds` above 0: watch that long, then stop. With 0: train to the end."""
    window.watch = Watch(window, experiment, float(seconds))


class Watch(QObject):
    """One run, started as the Train page starts it, and a 10 ms timer beside it."""

    def __init__(self, window: Any, experiment: str, seconds: float) -> None:
        super().__init__(window)
        self.context: AppContext = window.context
        self.experiment, self.seconds = experiment, seconds
        self.catalog: Catalog | None = None
        self.run_id = ""
        self.late_ms: list[float] = []
        self.idle_ms: list[float] = []
        self.due = self.until = 0.0
        self.engine: TrainingEngine = training(self.context)
        self.engine.started.connect(self.take_run)
        self.engine.ended.connect(self.finish)
        self.ticks = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=TICK_MS)
        self.ticks.timeout.connect(self.tick)
        self.look = QTimer(self, interval=500)
        self.look.timeout.connect(self.begin_when_training)
        self.context.page_requested.emit("train")
        if seconds:
            QTimer.singleShot(1000, self, lambda: self.count_for(IDLE_SECONDS))
        else:
            self.start()

    def start(self) -> None:
        self.engine.start(config.load(self.experiment))

    def take_run(self, run_id: str) -> None:
        self.run_id = run_id
        self.context.run_requested.emit(run_id)
        if self.seconds:
            self.catalog = Catalog()
            self.look.start()

    def begin_when_training(self) -> None:
        if self.catalog is not None and len(self.catalog.metrics(self.run_id, key="train/loss")) >= FIRST_POINTS:
            self.look.stop()
            self.count_for(self.seconds)

    def count_for(self, seconds: float) -> None:
        self.late_ms = []
        self.until = time.perf_counter() + seconds
        self.due = time.perf_counter() + TICK_MS / 1000
        self.ticks.start()

    def tick(self) -> None:
        now = time.perf_counter()
        # Against the time it was due since the tick before, so that one long stop counts once.
        self.late_ms.append((now - self.due) * 1000)
        self.due = now + TICK_MS / 1000
        if now > self.until:
            self.ticks.stop()
            if self.run_id:
                self.engine.request(self.run_id, "stop")
            else:
                self.idle_ms = self.late_ms
                self.start()

    def finish(self, run_id: str, failure: Any) -> None:
        if failure is not None:
            report({"error": failure.what})
        facts: dict[str, Any] = {"run": run_id}
        if self.late_ms:
            facts |= {**spread(self.late_ms), "idle": spread(self.idle_ms)}
        report(facts)


def spread(late_ms: list[float]) -> dict[str, float]:
    late = np.maximum(late_ms, 0)
    p50, p99 = np.percentile(late, [50, 99])
    named = {"p50_ms": p50, "p99_ms": p99, "worst_ms": late.max(), "ticks": len(late)}
    return {name: round(float(value), 2) for name, value in named.items()}
