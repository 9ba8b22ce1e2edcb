"""An axis with few, round, short numbers, on a linear or a logarithmic scale."""

from __future__ import annotations

import math

import pyqtgraph as pg

PIXELS_PER_TICK = {"left": 38, "bottom": 60}


def round_step(span: float, count: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that makes at most `count` steps of a span.

    >>> round_step(0.9, 5), round_step(62, 6)
    (0.2, 20.0)
    """
    if not span > 0:
        return 1.0
    least = span / max(count, 1.0)
    power = 10.0 ** math.floor(math.log10(least))
    factor = next(f for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))
    return float(f"{factor * power:.6g}")


class Axis(pg.AxisItem):
    """Used in place of pyqtgraph's own, whose small numbers take much room or vanish."""

    def updateAutoSIPrefix(self) -> None:  # noqa: N802
        """Numbers stay as they are: pyqtgraph would write 600 for 0.6, though no unit is there to be a milli of."""
        self._updateLabel()  # which has the numbers drawn anew

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N802
        low, high = sorted((minVal, maxVal))
        if self.logMode:
            return [(1.0, self._log_ticks(low, high, size))]
        step = round_step((high - low) * self.scale, size / PIXELS_PER_TICK[self.orientation]) / self.scale
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return [(step, [step * n for n in range(first, min(last, first + 50) + 1)])]

    def _log_ticks(self, low: float, high: float, size: float) -> list[float]:
        decades = range(math.floor(low), math.ceil(high) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            ticks = [decade + math.log10(factor) for decade in decades for factor in factors]
            ticks = [tick for tick in ticks if low <= tick <= high]
            if len(ticks) <= max(size / (PIXELS_PER_TICK[self.orientation] / 2), 2):
                break
        return ticks

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        if self.logMode:
            return [f"{10**value:.3g}" for value in values]
        return [short(value * scale) for value in values]


def short(value: float) -> str:
    """
    >>> short(0.0012), short(20.0), short(2e-05), short(1500.0), short(-0.0)
    ('0.0012', '20', '2e-5', '1500', '0')
    """
    if abs(value) < 1e-12:
        return "0"
    return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e")
