"""The curves of a binary classification as plain values, for charts and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.metrics.classification import auprc, auroc

Array = np.ndarray[Any, Any]

MOST_POINTS = 400  # of a curve: more than a chart has pixels to tell apart


@dataclass(frozen=True)
class Curve:
    """Base: `as_dict` gives plain lists and numbers."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Roc(Curve):
    """False and true positive rate where rows above each threshold count as positive, from none to all.

    The threshold of the first point, where no row does, is 1. positives, negatives: rows, for counts at a threshold.
    """

    false_positive: list[float]
    true_positive: list[float]
    thresholds: list[float]
    area: float
    positives: int
    negatives: int


@dataclass(frozen=True)
class PrecisionRecall(Curve):
    """Recall and precision from the highest threshold on. area: average precision; base: the share of positives."""

    recall: list[float]
    precision: list[float]
    thresholds: list[float]
    area: float
    base: float


@dataclass(frozen=True)
class Calibration(Curve):
    """What was predicted and what happened, in bins of the probability that hold rows.

    low, high: the 95 % interval of `observed` (Wilson 1927). slope, intercept: of the outcome's log-odds on the
    predicted ones (Cox 1958): 1 and 0 are perfect, a slope below 1 is too sure; None where they cannot be fitted.
    """

    predicted: list[float]
    observed: list[float]
    low: list[float]
    high: list[float]
    count: list[int]
    slope: float | None
    intercept: float | None


@dataclass(frozen=True)
class DecisionCurve(Curve):
    """Net benefit (Vickers & Elkin 2006) of acting on the model, on all and on none, at each threshold probability."""

    thresholds: list[float]
    model: list[float]
    act_on_all: list[float]
    act_on_none: list[float]


@dataclass(frozen=True)
class Confusion(Curve):
    """Counts of rows: matrix[true class][decided class]. threshold: of the second of two classes, else None."""

    classes: list[str]
    matrix: list[list[int]]
    threshold: float | None


@dataclass(frozen=True)
class BinaryCurves(Curve):
    """All curves of one binary outcome. `roc` and what follows are None where only one class is there."""

    roc: Roc | None
    precision_recall: PrecisionRecall | None
    calibration: Calibration
    decision: DecisionCurve


def binary_curves(probability: Array, target: Array) -> BinaryCurves:
    """From probabilities (rows,) of the second class and target (rows,) of 0 and 1."""
    both = 0 < (np.asarray(target) == 1).sum() < len(target)
    return BinaryCurves(
        roc(probability, target) if both else None,
        precision_recall(probability, target) if both else None,
        calibration(probability, target),
        decision_curve(probability, target),
    )


def roc(probability: Array, target: Array) -> Roc:
    """The ROC curve; both classes have to be there."""
    thresholds, hits, alarms, positive = _counts(probability, target)
    n, others = int(positive.sum()), int((~positive).sum())
    true, false = hits / n, alarms / others
    keep = _corners(false, true)
    return Roc(_list(false[keep]), _list(true[keep]), _list(thresholds[keep]), auroc(probability, positive), n, others)


def precision_recall(probability: Array, target: Array) -> PrecisionRecall:
    """The curve of precision over recall; both classes have to be there."""
    thresholds, hits, alarms, positive = _counts(probability, target)
    recall, precision = hits[1:] / positive.sum(), hits[1:] / (hits[1:] + alarms[1:])
    keep = _thinned(len(recall))
    return PrecisionRecall(
        _list(recall[keep]), _list(precision[keep]), _list(thresholds[1:][keep]), auprc(probability, positive),
        float(positive.mean()),
    )  # fmt: skip


def calibration(probability: Array, target: Array, bins: int = 10, *, equal: str = "width") -> Calibration:
    """Bins of equal width in probability, or with `equal="rows"` of as equal numbers of rows as can be."""
    positive = np.asarray(target) == 1
    if equal == "rows":
        place = np.minimum(np.argsort(np.argsort(probability, kind="stable")) * bins // len(probability), bins - 1)
    else:
        place = np.minimum((probability * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    there = count > 0
    count = count[there]
    predicted = np.bincount(place, weights=probability, minlength=bins)[there] / count
    observed = np.bincount(place, weights=positive, minlength=bins)[there] / count
    low, high = wilson(observed, count)
    slope, intercept = _slope(probability, positive)
    return Calibration(
        _list(predicted), _list(observed), _list(low), _list(high), [int(n) for n in count], slope, intercept
    )


def wilson(share: Array, count: Array) -> tuple[Array, Array]:
    """The 95 % interval of shares of `count` rows each."""
    z = 1.959964
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.minimum(centre - half, share).clip(0), np.maximum(centre + half, share).clip(max=1)  # but for rounding


def decision_curve(probability: Array, target: Array, thresholds: Sequence[float] | None = None) -> DecisionCurve:
    """At 1 % to 99 % unless other thresholds are given."""
    at = np.linspace(0.01, 0.99, 99) if thresholds is None else np.asarray(thresholds, float)
    positive = np.asarray(target) == 1
    rows, odds = len(positive), at / (1 - at)
    ranked, others = np.sort(probability[positive]), np.sort(probability[~positive])
    hits = len(ranked) - np.searchsorted(ranked, at, side="right")
    alarms = len(others) - np.searchsorted(others, at, side="right")
    everyone = len(ranked) / rows - len(others) / rows * odds
    return DecisionCurve(_list(at), _list(hits / rows - alarms / rows * odds), _list(everyone), [0.0] * len(at))


def confusion(probabilities: Array, target: Array, classes: Sequence[str], threshold: float | None = None) -> Confusion:
    """Of probabilities (rows, classes) and target (rows,) codes; with two classes at a threshold of the second."""
    if probabilities.shape[1] == 2:
        threshold = 0.5 if threshold is None else threshold
        chosen = (probabilities[:, 1] > threshold).astype(int)
    else:
        threshold, chosen = None, probabilities.argmax(axis=1)
    size = len(classes)
    matrix = np.bincount(np.asarray(target) * size + chosen, minlength=size * size).reshape(size, size)
    return Confusion(list(classes), [[int(n) for n in row] for row in matrix], threshold)


def _counts(probability: Array, target: Array) -> tuple[Array, Array, Array, Array]:
    """Thresholds from 1 downwards, the true and false positives strictly above the next one, and the positives."""
    positive = np.asarray(target) == 1
    order = np.argsort(-probability, kind="stable")
    ranked, hits = probability[order], np.cumsum(positive[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    # A row counts as positive above a threshold, so a tie's rows do just below their own probability.
    following = np.append(ranked[last[1:]], 0.0)
    thresholds = (ranked[last] + following) / 2
    thresholds[-1] = 0.0 if ranked[-1] > 0 else -1e-9
    hits = np.append(0, hits[last])
    alarms = np.append(0, last + 1) - hits
    return np.append(1.0, thresholds), hits, alarms, positive


def _corners(x: Array, y: Array) -> Array:
    """The points where a staircase turns, at most MOST_POINTS of them."""
    turns = np.ones(len(x), bool)
    turns[1:-1] = ((x[2:] - x[1:-1]) * (y[1:-1] - y[:-2])) != ((x[1:-1] - x[:-2]) * (y[2:] - y[1:-1]))
    kept = np.flatnonzero(turns)
    return np.asarray(kept[_thinned(len(kept))])


def _thinned(points: int) -> Array:
    return np.unique(np.linspace(0, points - 1, min(points, MOST_POINTS)).round().astype(int))


def _slope(probability: Array, positive: Array) -> tuple[float | None, float | None]:
    """Slope and intercept of a logistic regression on the log-odds, by Newton's method."""
    if len(positive) < 10 or not 0 < positive.sum() < len(positive):
        return None, None
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    design = np.column_stack([np.log(inside / (1 - inside)), np.ones(len(positive))])
    if np.ptp(design[:, 0]) < 1e-9:
        return None, None
    beta = np.array([1.0, 0.0])
    for _ in range(30):
        found = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        information = (design * (found * (1 - found))[:, None]).T @ design
        try:
            step = np.linalg.solve(information, design.T @ (positive - found))
        except np.linalg.LinAlgError:
            return None, None
        beta = beta + step
        if not np.isfinite(beta).all() or np.abs(beta).max() > 100:
            return None, None  # the classes are told apart perfectly: no finite slope
        if np.abs(step).max() < 1e-8:
            return float(beta[0]), float(beta[1])
    return None, None


def _list(values: Array) -> list[float]:
    return [float(value) for value in values]
