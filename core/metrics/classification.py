"""How good the probabilities of a classification are, over a whole split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BINS = 10
LEAST = 1e-15  # a probability of exactly 0 would cost infinitely much


def figures(probabilities: Array, target: Array, *, threshold: float = 0.5) -> dict[str, float]:
    """Metrics by name, of whatever kind of classification the shapes say.

    binary: probabilities (rows,) of the second class, or (rows, 2), with target (rows,) of 0 and 1.
    multiclass: (rows, classes) with target (rows,) class codes. multilabel: (rows, labels) with target (rows, labels).
    threshold: of the probability, for what is decided by it (accuracy, f1, sensitivity, specificity, ...).
    """
    if target.ndim == 2:
        return multilabel(probabilities, target, threshold=threshold)
    if probabilities.ndim == 1 or probabilities.shape[1] == 2:
        return binary(probabilities if probabilities.ndim == 1 else probabilities[:, 1], target, threshold=threshold)
    return multiclass(probabilities, target)


def binary(probability: Array, target: Array, *, threshold: float = 0.5) -> dict[str, float]:
    """Of the second class: probability (rows,), target (rows,) of 0 and 1.

    loss is the log-loss, brier the mean squared difference, ece the expected calibration error of the probability in
    ten equal bins. A figure that the rows do not define, such as the AUROC of one class, is left out.
    """
    positive = np.asarray(target) == 1
    chosen = probability > threshold
    hits, alarms = int((chosen & positive).sum()), int((chosen & ~positive).sum())
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    found = {
        "loss": log_loss(np.column_stack([1 - probability, probability]), positive.astype(int)),
        "accuracy": float((chosen == positive).mean()),
        "f1": 2 * hits / max(hits + alarms + n_positive, 1),
        "brier": float(((probability - positive) ** 2).mean()),
        "ece": calibration_error(probability, positive),
    }
    if n_positive:
        found["sensitivity"] = hits / n_positive
    if n_negative:
        found["specificity"] = 1 - alarms / n_negative
    if hits + alarms:
        found["precision"] = hits / (hits + alarms)
    if n_positive and n_negative:
        found |= {"auroc": auroc(probability, positive), "auprc": auprc(probability, positive)}
        found["balanced_accuracy"] = 0.5 * (found["sensitivity"] + found["specificity"])
    return found


def multiclass(probabilities: Array, target: Array) -> dict[str, float]:
    """Of several classes: probabilities (rows, classes), target (rows,) codes.

    auroc and auprc are means over the classes that are there, one against the rest; f1 is their mean too. brier is the
    sum over classes; ece is that of the most probable class (Guo et al., arXiv 1706.04599).
    """
    classes = probabilities.shape[1]
    chosen = probabilities.argmax(axis=1)
    there = [c for c in range(classes) if (target == c).any() or (chosen == c).any()]
    overlap = [2 * int(((chosen == c) & (target == c)).sum()) / int((chosen == c).sum() + (target == c).sum())
               for c in there]  # fmt: skip
    known = [c for c in range(classes) if (target == c).any()]
    found = {
        "loss": log_loss(probabilities, target),
        "accuracy": float((chosen == target).mean()),
        "balanced_accuracy": float(np.mean([(chosen[target == c] == c).mean() for c in known])),
        "f1": float(np.mean(overlap)),
        "brier": float(((probabilities - np.eye(classes)[target]) ** 2).sum(axis=1).mean()),
        "ece": calibration_error(probabilities.max(axis=1), chosen == target),
    }
    ranked = [c for c in known if not (target == c).all()]
    if ranked:
        found["auroc"] = float(np.mean([auroc(probabilities[:, c], target == c) for c in ranked]))
        found["auprc"] = float(np.mean([auprc(probabilities[:, c], target == c) for c in ranked]))
    return found


def multilabel(probabilities: Array, target: Array, *, threshold: float = 0.5) -> dict[str, float]:
    """Means over labels of the figures of each: probabilities and target (rows, labels); NaN in target: not known."""
    each: list[dict[str, float]] = []
    for label in range(target.shape[1]):
        known = np.isfinite(target[:, label])
        if known.any():
            each.append(binary(probabilities[known, label], target[known, label], threshold=threshold))
    names = {name: None for one in each for name in one}
    return {name: float(np.mean([one[name] for one in each if name in one])) for name in names}


def log_loss(probabilities: Array, target: Array) -> float:
    """The mean of -log of the true class's probability: (rows, classes), (rows,) codes."""
    right = probabilities[np.arange(len(target)), target]
    return float(-np.log(np.clip(right, LEAST, 1)).mean())


def auroc(score: Array, positive: Array) -> float:
    """The part of pairs of a positive and another row that the score ranks rightly; ties count half.

    >>> auroc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    from scipy.stats import rankdata

    positive = np.asarray(positive, bool)
    n, others = int(positive.sum()), int((~positive).sum())
    return float((rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * others))


def auprc(score: Array, positive: Array) -> float:
    """Average precision: precision summed over the steps of recall, without interpolation.

    >>> auprc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])).__round__(3)
    0.833
    """
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], np.cumsum(np.asarray(positive, bool)[order])
    last = np.append(ranked[1:] != ranked[:-1], True)  # the last row of each tie
    hits, asked = hits[last], np.flatnonzero(last) + 1
    return float((np.diff(hits, prepend=0) * hits / asked).sum() / hits[-1])


def calibration_error(probability: Array, happened: Array) -> float:
    """The mean gap between a probability and how often it comes true, over ten equal bins weighted by their rows."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, weights=probability, minlength=BINS) - np.bincount(bins, weights=happened, minlength=BINS)
    return float(np.abs(gap).sum() / len(probability))


def best_threshold(probability: Array, target: Array, by: str = "f1") -> float:
    """The threshold of (rows,) probabilities at which `by` is best: "f1", "balanced_accuracy" (Youden) or "accuracy".

    Half-way between two rows' probabilities, so that the answer does not hang on a rounding; 0.5 where all thresholds
    are equally good. Raises KeyError for another name.
    """
    rule = THRESHOLD_RULES[by]
    positive = np.asarray(target) == 1
    if not 0 < positive.sum() < len(positive):
        return 0.5
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    hits = np.append(0, np.cumsum(positive[order]))
    alarms = np.arange(len(ranked) + 1) - hits
    cut = np.append(np.append(True, ranked[1:] != ranked[:-1]), True)  # not between rows of one probability
    value = np.where(cut, rule(hits, alarms, positive.sum(), (~positive).sum()), -np.inf)
    bounds = np.concatenate([[1.0], ranked, [0.0]])
    thresholds = (bounds[:-1] + bounds[1:]) / 2
    best = np.flatnonzero(value == value.max())
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - 0.5))]])


# By name, from true and false positives at each threshold, and how many positives and negatives there are.
THRESHOLD_RULES: dict[str, Callable[..., Array]] = {
    "f1": lambda hits, alarms, n, others: 2 * hits / (hits + alarms + n),
    "balanced_accuracy": lambda hits, alarms, n, others: 0.5 * (hits / n + 1 - alarms / others),
    "accuracy": lambda hits, alarms, n, others: (hits + others - alarms) / (n + others),
}
