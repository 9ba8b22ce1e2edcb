"""How well a binary outcome is ranked: the ROC curve, and precision over recall. A click sets the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg

from core.metrics.curves import PrecisionRecall, Roc
from gui.charts.chart import Chart, nearest, shown
from gui.charts.threshold import Counts, Decisions, Threshold

MARK_PX = 11


class _Ranking(Chart):
    """Base: a curve whose every point belongs to a threshold."""

    def __init__(self, title: str, name: str, across: str, up: str, threshold: Threshold) -> None:
        super().__init__(title, name, across, up)
        self._threshold = threshold
        self._mark: pg.ScatterPlotItem | None = None
        self._decisions: Decisions | None = None
        self.pointed.connect(self._choose)
        threshold.changed.connect(lambda _: self._show_mark())

    def curve(self) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        """x, y, thresholds; empty where there is no curve."""
        raise NotImplementedError

    def point_of(self, counts: Counts) -> tuple[float, float]:
        """Where the counts of a threshold lie."""
        raise NotImplementedError

    def told_of(self, threshold: float, x: float, y: float) -> str:
        """What a point says."""
        raise NotImplementedError

    def words(self, place: int) -> str:
        """What a point of the curve says."""
        x, y, thresholds = self.curve()
        return self.told_of(thresholds[place], x[place], y[place])

    @property
    def marked(self) -> tuple[float, float] | None:
        """The point of the threshold: of the rows themselves where they are known, as a drawn curve leaves some out."""
        if self._decisions is not None:
            point = self.point_of(self._decisions.at(self._threshold.value))
            if all(map(math.isfinite, point)):
                return point
        x, y, thresholds = self.curve()
        place = place_of(thresholds, self._threshold.value)
        return (x[place], y[place]) if place >= 0 else None

    def _choose(self, x: float, y: float) -> None:
        place = nearest(*self.curve()[:2], (x, y))
        if place >= 0:
            self._threshold.set(self.curve()[2][place])

    def _show_mark(self) -> None:
        if self._mark is not None and (at := self.marked) is not None:
            self._mark.setData([at[0]], [at[1]])
        self.read.setText(self.resting())

    def _add_mark(self) -> None:
        at = self.marked
        self._mark = None if at is None else self.points([at[0]], [at[1]], "warn", MARK_PX)

    def read_out(self, x: float, y: float) -> str:
        place = nearest(*self.curve()[:2], (x, y))
        return self.words(place) if place >= 0 else ""

    def resting(self) -> str:
        at = self.marked if len(self.curve()[2]) else None
        return "Both outcomes are needed for this curve" if at is None else self.told_of(self._threshold.value, *at)


class RocChart(_Ranking):
    """Sensitivity over the share of false alarms."""

    def __init__(self, threshold: Threshold) -> None:
        super().__init__("ROC", "chart-roc", "1 - specificity", "Sensitivity", threshold)
        self._roc: Roc | None = None
        self._interval: Sequence[float] | None = None
        self.redraw()

    def show_curve(
        self, roc: Roc | None, interval: Sequence[float] | None = None, decisions: Decisions | None = None
    ) -> None:
        """interval: of the area, low and high. decisions: of the rows, for the exact point of a threshold."""
        self._roc, self._interval, self._decisions = roc, interval, decisions
        between = f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else ""
        area = f"AUROC {roc.area:.3f}{between}" if roc else ""
        self.tell(area, f"ROC curve. {area}. {self.resting()}" if roc else self.resting())
        self.redraw()

    def curve(self) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        roc = self._roc
        return (roc.false_positive, roc.true_positive, roc.thresholds) if roc else ([], [], [])

    def point_of(self, counts: Counts) -> tuple[float, float]:
        return 1 - counts.specificity, counts.sensitivity

    def told_of(self, threshold: float, x: float, y: float) -> str:
        return f"Threshold {threshold:.2f}: sensitivity {y:.2f}, specificity {1 - x:.2f}"

    def _draw(self) -> None:
        self.span((0, 1), (0, 1))
        self.line([0, 1], [0, 1], "dim", 1, dashed=True)
        if self._roc is not None:
            self.line(self._roc.false_positive, self._roc.true_positive, "accent")
        self._add_mark()


class PrecisionRecallChart(_Ranking):
    """Precision over recall; what a model without knowledge reaches is the share of positives."""

    def __init__(self, threshold: Threshold) -> None:
        super().__init__("Precision and recall", "chart-precision-recall", "Recall", "Precision", threshold)
        self._found: PrecisionRecall | None = None
        self._interval: Sequence[float] | None = None
        self.redraw()

    def show_curve(
        self, found: PrecisionRecall | None, interval: Sequence[float] | None = None,
        decisions: Decisions | None = None,
    ) -> None:  # fmt: skip
        """As that of the ROC curve."""
        self._found, self._interval, self._decisions = found, interval, decisions
        between = f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else ""
        area = f"AUPRC {found.area:.3f}{between}" if found else ""
        base = f" By chance: {found.base:.3f}." if found else ""
        self.tell(area, f"Precision over recall. {area}.{base} {self.resting()}" if found else self.resting())
        self.redraw()

    def curve(self) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        found = self._found
        return (found.recall, found.precision, found.thresholds) if found else ([], [], [])

    def point_of(self, counts: Counts) -> tuple[float, float]:
        return counts.sensitivity, counts.precision

    def told_of(self, threshold: float, x: float, y: float) -> str:
        return f"Threshold {threshold:.2f}: precision {y:.2f}, recall {x:.2f}"

    def _draw(self) -> None:
        self.span((0, 1), (0, 1))
        if self._found is not None:
            self.line([0, 1], [self._found.base] * 2, "dim", 1, dashed=True)
            self.line(self._found.recall, self._found.precision, "accent")
        self._add_mark()

    def resting(self) -> str:
        base = f" · by chance {shown(self._found.base)}" if self._found else ""
        return super().resting() + base


def place_of(thresholds: Sequence[float], value: float) -> int:
    """The last point whose rows all lie above a threshold; thresholds fall from point to point. -1: there is none.

    >>> place_of([1.0, 0.8, 0.3], 0.5), place_of([1.0, 0.8, 0.3], 0.3), place_of([], 0.5)
    (1, 2, -1)
    """
    if not len(thresholds):
        return -1
    return max(int(np.searchsorted(-np.asarray(thresholds), -value, side="right")) - 1, 0)
