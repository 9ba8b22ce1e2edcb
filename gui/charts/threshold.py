"""The threshold of a decision, shared by the charts that show it, and how the rows fall on its two sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Counts:
    """Rows by truth and decision at one threshold; a share without rows is NaN."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def sensitivity(self) -> float:
        return _share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        return _share(self.true_negative, self.true_negative + self.false_positive)

    @property
    def precision(self) -> float:
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def negative_value(self) -> float:
        """The share of the rows that were decided against in which it did not happen."""
        return _share(self.true_negative, self.true_negative + self.false_negative)

    @property
    def accuracy(self) -> float:
        right = self.true_positive + self.true_negative
        return _share(right, right + self.false_positive + self.false_negative)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


class Decisions:
    """The rows of a binary outcome, sorted once, so that any threshold is counted in an instant."""

    def __init__(self, probability: Array, positive: Array) -> None:
        """probability, positive: (rows,)."""
        order = np.argsort(probability)
        self._ranked = np.asarray(probability)[order]
        self._positives_below = np.concatenate([[0], np.cumsum(np.asarray(positive, bool)[order])])

    def at(self, threshold: float) -> Counts:
        """Rows above the threshold are decided for.

        >>> Decisions(np.array([0.2, 0.6, 0.9]), np.array([0, 0, 1])).at(0.5)
        Counts(true_positive=1, false_positive=1, false_negative=0, true_negative=1)
        """
        below = int(np.searchsorted(self._ranked, threshold, side="right"))
        missed, positives = int(self._positives_below[below]), int(self._positives_below[-1])
        hits = positives - missed
        return Counts(hits, len(self._ranked) - below - hits, missed, below - missed)


class Threshold(QObject):
    """One number between 0 and 1 that several widgets show and change."""

    changed = Signal(float)

    def __init__(self, value: float = 0.5, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.value = value

    def set(self, value: float) -> None:
        value = min(max(value, 0.0), 1.0)
        if value != self.value:
            self.value = value
            self.changed.emit(value)
