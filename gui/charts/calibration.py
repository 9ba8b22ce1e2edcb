"""Whether probabilities come true, and whether acting on them does more good than harm."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt

from core.metrics.curves import Calibration, DecisionCurve
from gui.charts.chart import Chart, shown
from gui.charts.threshold import Threshold

LEAST_BENEFIT = -0.05  # far below, where everything that is worse than doing nothing goes


class CalibrationChart(Chart):
    """What was predicted against what happened, with 95 % intervals; the bars at the foot count the rows."""

    def __init__(self) -> None:
        super().__init__("Calibration", "chart-calibration", "Predicted probability", "Observed share")
        self._found: Calibration | None = None
        self.redraw()

    def show_curve(self, found: Calibration | None, ece: float | None = None) -> None:
        """ece: the expected calibration error, where it is known."""
        self._found = found
        figure = f"ECE {ece:.3f}" if ece is not None else ""
        if found is not None and found.slope is not None:
            figure += f" · slope {found.slope:.2f}"
        each = [self._words(n) for n in range(len(found.predicted))] if found else []
        self.tell(figure.removeprefix(" · "), ". ".join([f"Calibration. {figure}", *each]))
        self.redraw()

    def _words(self, place: int) -> str:
        found = self._found
        if found is None:
            return ""
        return (
            f"Predicted {found.predicted[place]:.2f}: {found.observed[place]:.2f} observed "
            f"({found.low[place]:.2f}–{found.high[place]:.2f}) of {found.count[place]:,} rows"
        )

    def read_out(self, x: float, y: float) -> str:
        if self._found is None or not self._found.predicted:
            return ""
        return self._words(int(np.argmin(np.abs(np.array(self._found.predicted) - x))))

    def resting(self) -> str:
        found = self._found
        if found is None or found.slope is None:
            return "The dashed line is perfect"
        if 0.8 <= found.slope <= 1.25:
            sure = "about as sure as right"
        else:
            sure = "too sure" if found.slope < 1 else "not sure enough"
        return f"The dashed line is perfect; slope {found.slope:.2f}: {sure}"

    def _draw(self) -> None:
        self.span((0, 1), (0, 1))
        self.line([0, 1], [0, 1], "dim", 1, dashed=True)
        found = self._found
        if found is None:
            return
        x, y = np.array(found.predicted), np.array(found.observed)
        most = max(found.count, default=1)
        self.add(
            pg.BarGraphItem(
                x=x, y0=0, height=np.array(found.count) / most * 0.12, width=0.03,
                brush=pg.mkBrush(self.colour("line")), pen=pg.mkPen(None),
            )
        )  # fmt: skip
        self.add(
            pg.ErrorBarItem(
                x=x, y=y, top=np.array(found.high) - y, bottom=y - np.array(found.low), beam=0.015,
                pen=pg.mkPen(self.colour("dim"), width=1),
            )
        )  # fmt: skip
        self.line(found.predicted, found.observed, "accent", 1.5)
        self.points(found.predicted, found.observed, "accent")


class DecisionCurveChart(Chart):
    """Net benefit of acting on the model, on everyone and on no one."""

    def __init__(self, threshold: Threshold) -> None:
        super().__init__("Decision curve", "chart-decision", "Threshold probability", "Net benefit")
        self._threshold = threshold
        self._found: DecisionCurve | None = None
        self._mark: pg.InfiniteLine | None = None
        self.pointed.connect(lambda x, _y: threshold.set(x))
        threshold.changed.connect(self._show_mark)
        self.redraw()

    def show_curve(self, found: DecisionCurve | None) -> None:
        self._found = found
        self.tell("", f"Decision curve. {self._best()} {self.resting()}")
        self.redraw()

    def _best(self) -> str:
        """Where the model does more good than both simple ways."""
        found = self._found
        if found is None:
            return ""
        better = np.array(found.model) > np.maximum(found.act_on_all, found.act_on_none) + 1e-9
        at = np.array(found.thresholds)[better]
        return f"Better than both from {at.min():.2f} to {at.max():.2f}." if len(at) else "Never better than both."

    def _show_mark(self, value: float) -> None:
        if self._mark is not None:
            self._mark.setPos(value)
        self.read.setText(self.resting())

    def _at(self, threshold: float) -> str:
        found = self._found
        if found is None:
            return ""
        place = int(np.argmin(np.abs(np.array(found.thresholds) - threshold)))
        return (
            f"Threshold {found.thresholds[place]:.2f}: model {shown(found.model[place], 3)}, "
            f"everyone {shown(found.act_on_all[place], 3)}, no one 0"
        )

    def read_out(self, x: float, y: float) -> str:
        return self._at(x)

    def resting(self) -> str:
        return self._at(self._threshold.value)

    def _draw(self) -> None:
        found = self._found
        most = max(found.model) if found else 1.0
        self.span((0, 1), (LEAST_BENEFIT, max(most, 0.01) * 1.1))
        if found is not None:
            self.line(found.thresholds, found.act_on_none, "dim", 1)
            self.line(found.thresholds, np.maximum(found.act_on_all, -1).tolist(), "dim", 1, dashed=True)
            self.line(found.thresholds, np.maximum(found.model, -1).tolist(), "accent")
        pen = pg.mkPen(self.colour("warn"), width=1, style=Qt.PenStyle.DotLine)
        self._mark = self.add(pg.InfiniteLine(self._threshold.value, angle=90, movable=False, pen=pen))
