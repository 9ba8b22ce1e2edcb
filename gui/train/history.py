"""What is known of a run so far: its series, its figures, and the time it has left. No Qt."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.catalog import CheckpointRow, EventRow, RunRow
from core.kept import kept_settings
from gui.metric_names import best_of, monitor_of, settings_of
from gui.train.watch import Points, Update

PACE = "train/samples_per_s"


@dataclass
class History:
    """Grows by updates; `series` maps a metric's key to all its points."""

    run: RunRow | None = None
    series: dict[str, Points] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    checkpoints: list[CheckpointRow] = field(default_factory=list)
    previews: list[int] = field(default_factory=list)

    def add(self, update: Update) -> None:
        self.run = update.run or self.run
        for key, new in update.points.items():
            old = self.series.get(key)
            self.series[key] = _one_a_step(new if old is None else _joined(old, new))
        self.events += update.events
        self.checkpoints = update.checkpoints
        self.previews = update.previews

    @property
    def monitor(self) -> str:
        """The metric that the run's best checkpoint is chosen by; empty without a run."""
        return monitor_of(self.run.config) if self.run is not None else ""

    def kept_settings(self) -> dict[str, Any]:
        """The run's settings as a tree, none without a run. Raises CatalogError where they are damaged."""
        return kept_settings(self.run) if self.run is not None else {}

    @property
    def structures(self) -> list[str]:
        """Names of what the monitored metric is given for one by one, such as structures in the order of labels."""
        of_each = f"{self.monitor}/"
        return [key.removeprefix(of_each) for key in self.series if key.startswith(of_each)]

    def last(self, key: str) -> float:
        """The newest value of a metric; NaN where there is none."""
        points = self.series.get(key)
        return float(points.values[-1]) if points is not None and len(points.values) else math.nan

    def best(self, key: str) -> float:
        """The best value of a metric so far; NaN where there is none."""
        points = self.series.get(key)
        return best_of(points.values.tolist(), key) if points is not None else math.nan

    @property
    def steps_per_epoch(self) -> float:
        """Steps in one epoch, as the last finished epoch shows; NaN in the first."""
        points = self.series.get(PACE)
        if points is None or not len(points.steps):
            return math.nan
        return float(points.steps[-1] / (points.epochs[-1] + 1))

    def seconds_left(self, now: float | None = None) -> float:
        """Time to the end at the pace of the last epochs, at most the time limit; NaN while unknown."""
        run = self.run
        if run is None or run.state not in ("running", "paused"):
            return math.nan
        now = time.time() if now is None else now
        left = math.nan
        points = self.series.get(PACE)
        if points is not None and len(points.times) > 1:
            recent = slice(max(len(points.times) - 6, 0), None)
            # The median passes over an epoch in which the run stood still.
            pace = float(np.median(np.diff(points.times[recent])))
            begun = now - float(points.times[-1]) if run.state == "running" else 0.0
            left = max((run.epochs - points.epochs[-1] - 1) * pace - min(begun, pace), 0.0)
        limit = self._limit_seconds()
        if limit and run.started:
            left = float(np.nanmin([left, max(run.started + limit - now, 0.0)]))
        return left

    def _limit_seconds(self) -> float:
        return 60.0 * self.setting("trainer.max_minutes")

    def setting(self, key: str) -> float:
        """A number of the run's settings by dotted key; 0 where there is none."""
        node: Any = settings_of(self.run.config) if self.run else {}
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return float(node) if isinstance(node, int | float) else 0.0


def _joined(old: Points, new: Points) -> Points:
    """All points of both; where a resumed run goes back, what it does again takes the place of what it did."""
    names = ("steps", "epochs", "values", "times")
    again = len(old.steps) > 0 and len(new.steps) > 0 and new.steps[0] < old.steps[-1]
    kept = old.steps < new.steps[0] if again else slice(None)
    return Points(*(np.concatenate([getattr(old, name)[kept], getattr(new, name)]) for name in names))


def _one_a_step(points: Points) -> Points:
    """A metric that is written at a step and once more over its epoch has the value over the epoch there."""
    kept = np.append(np.diff(points.steps) != 0, True) if len(points.steps) else slice(None)
    return Points(*(getattr(points, name)[kept] for name in ("steps", "epochs", "values", "times")))


def smoothed(steps: np.ndarray, values: np.ndarray, window: float) -> np.ndarray:
    """Each value's mean with those of the last `window` steps; values that are not finite are passed over.

    steps: rising. Metrics written every step and every epoch are so smoothed over the same stretch.

    >>> smoothed(np.array([1, 2, 3, 4]), np.array([1.0, 3.0, 5.0, 7.0]), 2).tolist()
    [1.0, 2.0, 4.0, 6.0]
    """
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    begin = np.searchsorted(steps, steps - window, side="right")
    end = np.arange(1, len(values) + 1)
    begin = np.minimum(begin, end - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums[end] - sums[begin]) / (counts[end] - counts[begin])


def duration_text(seconds: float) -> str:
    """
    >>> duration_text(42), duration_text(780), duration_text(7500), duration_text(float("nan"))
    ('42 s', '13 min', '2 h 5 min', '–')
    """
    if not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def figure_text(value: float, digits: int = 3) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "–"
