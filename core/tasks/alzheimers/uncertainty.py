"""Intervals that hold the true score as often as they say, for each part of what may be there of a subject.

Split conformal prediction with residuals scaled by the spread (Lei 2018, arXiv 1604.04173), on validation subjects:
the half-width is the quantile of their residuals times the subject's own spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from core.registry import Part
from core.tasks.alzheimers.answering import SUBSETS, Answer
from core.tasks.alzheimers.plan import named

Array = np.ndarray[Any, Any]
FEWEST = 10  # subjects that a quantile of 0.9 wants


class Intervals(Part):
    """By part, as `plan.named` writes it. widths: the quantile of the scaled residuals; rows: how many gave it."""

    confidence: float = Field(gt=0.5, lt=1)
    floor: float = Field(gt=0)
    widths: dict[str, float] = Field(max_length=7)
    rows: dict[str, int] = Field(max_length=7)

    def interval(self, answer: Answer, parts: str) -> list[float]:
        """[low, high] within 0..1."""
        half = self.width(parts) * (answer.spread + self.floor)
        return [max(answer.score - half, 0.0), min(answer.score + half, 1.0)]

    def width(self, parts: str) -> float:
        """Of a part that no validation subject had, the widest there is."""
        return self.widths.get(parts, max(self.widths.values()))

    def calibrated(self, parts: str) -> bool:
        return self.rows.get(parts, 0) >= FEWEST


def fit_intervals(
    answers: Sequence[Mapping[str, Answer]], targets: Sequence[float] | Array, confidence: float
) -> Intervals:
    """From validation subjects' answers by part and their scores. Fewer parts never get narrower intervals."""
    scored = list(zip(answers, targets, strict=True))
    floor = max(float(np.median([answer.spread for one in answers for answer in one.values()])), 0.005)
    widths: dict[str, float] = {}
    rows: dict[str, int] = {}
    typical: dict[frozenset[str], float] = {}
    for parts in SUBSETS:
        name = named(parts)
        both = [(one[name], float(target)) for one, target in scored if name in one]
        if not both:
            continue
        residuals = [abs(answer.score - target) / (answer.spread + floor) for answer, target in both]
        usual = float(np.median([answer.spread for answer, _ in both])) + floor
        width = _quantile(residuals, confidence)
        least = max((half for more, half in typical.items() if parts < more), default=0.0)
        typical[parts] = max(width * usual, least)
        widths[name], rows[name] = typical[parts] / usual, len(both)
    return Intervals(confidence=confidence, floor=floor, widths=widths, rows=rows)


def _quantile(residuals: Sequence[float], confidence: float) -> float:
    """The conformal quantile; of too few residuals the largest.

    >>> _quantile([1.0, 2.0, 3.0, 4.0], 0.75)
    4.0
    """
    ordered = sorted(residuals)
    place = math.ceil((len(ordered) + 1) * confidence)
    return ordered[min(place, len(ordered)) - 1]


class Event(Part):
    """The probability that the true score is at least the threshold, from the score: a logistic regression."""

    slope: float
    intercept: float

    def probability(self, score: float | Array) -> Array:
        inside = np.clip(score, 1e-4, 1 - 1e-4)
        return np.asarray(1 / (1 + np.exp(-(self.slope * np.log(inside / (1 - inside)) + self.intercept))))


def fit_event(scores: Array, targets: Array, threshold: float) -> Event | None:
    """From validation subjects; None where all lie on one side of the threshold."""
    from sklearn.linear_model import LogisticRegression

    high = np.asarray(targets) >= threshold
    if not 0 < high.sum() < len(high):
        return None
    inside = np.clip(scores, 1e-4, 1 - 1e-4)
    fitted = LogisticRegression(C=1.0).fit(np.log(inside / (1 - inside))[:, None], high)
    return Event(slope=float(fitted.coef_[0, 0]), intercept=float(fitted.intercept_[0]))
