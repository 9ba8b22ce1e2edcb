"""Intervals that hold the true score as often as they say, for each part of what may be there of a subject.

Conformal prediction with residuals scaled by the spread (Lei 2018, arXiv 1604.04173), on validation subjects: the
half-width is a quantile of their residuals times the subject's own spread. Each part has a size of residuals of its
own; the quantile is common to all parts. Of a few dozen subjects a quantile of each part by itself is a matter of the
one or two worst: on simulated cohorts it held anything from 80 to 99 % of the scores.
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
FLOOR = 2.0  # of the median spread: spreads tell only a part of how large errors are
LEAST_FLOOR, TINY = 0.005, 1e-6


class Intervals(Part):
    """By part, as `plan.named` writes it. widths: of half an interval, in spreads; rows: how many gave it."""

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
    """From validation subjects' answers by part and their scores. Fewer parts never get narrower intervals.

    How large the errors of a part are is a mean over its subjects; how far the largest lie beyond that is a quantile
    over those of all parts together, which few subjects alone would not tell.
    """
    scored = list(zip(answers, targets, strict=True))
    floor = FLOOR * float(np.median([answer.spread for one in answers for answer in one.values()]))
    floor = max(floor, LEAST_FLOOR)
    sizes: dict[str, float] = {}
    relative: list[Array] = []
    rows: dict[str, int] = {}
    typical: dict[frozenset[str], float] = {}
    for parts in SUBSETS:
        name = named(parts)
        both = [(one[name], float(target)) for one, target in scored if name in one]
        if not both:
            continue
        residuals = np.array([abs(answer.score - target) / (answer.spread + floor) for answer, target in both])
        usual = float(np.median([answer.spread for answer, _ in both])) + floor
        least = max((half for more, half in typical.items() if parts < more), default=0.0)
        typical[parts] = max(float(np.sqrt(np.mean(residuals**2))) * usual, least, TINY)
        sizes[name], rows[name] = typical[parts] / usual, len(both)
        relative.append(residuals / sizes[name])
    reach = _quantile(np.concatenate(relative), confidence, len(scored))
    return Intervals(
        confidence=confidence, floor=floor, rows=rows, widths={name: reach * size for name, size in sizes.items()}
    )


def _quantile(relative: Array, confidence: float, subjects: int) -> float:
    """The quantile that so many subjects' errors give of another one's, a little above that of their own.

    >>> _quantile(np.arange(1.0, 5.0), 0.75, 4), _quantile(np.arange(1.0, 5.0), 0.75, 400)
    (4.0, 4.0)
    """
    return float(np.quantile(relative, min(confidence * (1 + 1 / subjects), 1.0), method="higher"))


def expected_coverage(subjects: int, confidence: float) -> tuple[float, float]:
    """What a conformal interval from so many subjects really holds, in nine of ten such drawings of subjects.

    A beta distribution, whatever the errors are (Vovk 2012, arXiv 1209.2673).
    """
    from scipy.stats import beta

    out = max(math.floor((subjects + 1) * (1 - confidence)), 1)
    low, high = beta(subjects + 1 - out, out).ppf([0.05, 0.95])
    return float(low), float(high)


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
