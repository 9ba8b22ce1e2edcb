"""Overlap of two label maps, per structure. A structure that was missed counts as 0, never drops out of a mean."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


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
