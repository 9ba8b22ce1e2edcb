"""Metrics that count voxels."""

from __future__ import annotations

import numpy as np

from core.metrics.segmentation.pair import Array, Pair, register_metric


def dice(truth: Array, prediction: Array) -> float:
    """2 |A and B| / (|A| + |B|) of two masks (Dice 1945); both empty: 1.

    >>> dice(np.array([1, 1, 0], bool), np.array([1, 0, 0], bool))
    0.6666666666666666
    """
    total = int(truth.sum()) + int(prediction.sum())
    return 2 * int((truth & prediction).sum()) / total if total else 1.0


def jaccard(truth: Array, prediction: Array) -> float:
    """|A and B| / |A or B| of two masks (Jaccard 1901); both empty: 1.

    >>> jaccard(np.array([1, 1, 0], bool), np.array([1, 0, 0], bool))
    0.5
    """
    union = int((truth | prediction).sum())
    return int((truth & prediction).sum()) / union if union else 1.0


def dice_per_class(truth: Array, prediction: Array, classes: int) -> list[float]:
    """Dice of each class 1..classes-1 of two maps of class indices."""
    return [dice(truth == c, prediction == c) for c in range(1, classes)]


@register_metric("dice", title="Dice")
def _dice(pair: Pair) -> float:
    return dice(pair.truth, pair.prediction)


@register_metric("jaccard", title="Jaccard")
def _jaccard(pair: Pair) -> float:
    return jaccard(pair.truth, pair.prediction)


@register_metric("accuracy", title="Accuracy", kind="plain")
def _accuracy(pair: Pair) -> float:
    """Part of all voxels, background included, that are judged right: near 1 for any small structure."""
    return float(np.mean(pair.truth == pair.prediction))
