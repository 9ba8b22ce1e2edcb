"""Predicted numbers against the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Signal

from core.metrics.regression import figures
from gui.charts.chart import Chart, nearest

MOST = 5_000  # points that are drawn; of more, as many drawn by lot


class ScatterChart(Chart):
    """A point a case; the dashed line is where both are the same. A click chooses the nearest case."""

    case_chosen = Signal(str)

    def __init__(self, unit: str = "") -> None:
        suffix = f" ({unit})" if unit else ""
        super().__init__("Truth and prediction", "chart-scatter", f"Truth{suffix}", f"Prediction{suffix}")
        self._cases: list[str] = []
        self._truth: np.ndarray[Any, Any] = np.zeros(0)
        self._found: np.ndarray[Any, Any] = np.zeros(0)
        self.pointed.connect(self._choose)
        self.redraw()

    def show_cases(self, truth: Sequence[float], predicted: Sequence[float], names: Sequence[str] = ()) -> None:
        """names: of the cases, for the read-out."""
        self._truth, self._found = np.asarray(truth, float), np.asarray(predicted, float)
        self._cases = list(names) or [f"row {n}" for n in range(len(self._truth))]
        told = figures(self._found, self._truth) if len(self._truth) else {}
        figure = f"r {told['pearson']:.3f} · R² {told['r2']:.3f} · MAE {told['mae']:.3g}" if told else ""
        if len(self._truth) > MOST:
            drawn = np.sort(np.random.default_rng(0).choice(len(self._truth), MOST, replace=False))
            self._truth, self._found = self._truth[drawn], self._found[drawn]
            self._cases = [self._cases[n] for n in drawn]
        self.tell(figure, f"Prediction against truth of {len(truth):,} cases. {figure}")
        self.redraw()

    def _near(self, x: float, y: float) -> int:
        size = float(np.ptp(self._truth) or 1), float(np.ptp(self._found) or 1)
        return nearest(self._truth / size[0], self._found / size[1], (x / size[0], y / size[1]))

    def _choose(self, x: float, y: float) -> None:
        if (place := self._near(x, y)) >= 0:
            self.case_chosen.emit(self._cases[place])

    def read_out(self, x: float, y: float) -> str:
        place = self._near(x, y)
        if place < 0:
            return ""
        return f"{self._cases[place]}: true {self._truth[place]:.4g}, predicted {self._found[place]:.4g}"

    def resting(self) -> str:
        return "The dashed line is where prediction and truth are the same"

    def _draw(self) -> None:
        if not len(self._truth):
            return
        ends = [float(min(self._truth.min(), self._found.min())), float(max(self._truth.max(), self._found.max()))]
        self.span((ends[0], ends[1]), (ends[0], ends[1]), 0.04)
        self.line(ends, ends, "dim", 1, dashed=True)
        self.points(self._truth.tolist(), self._found.tolist(), "accent", 6)
