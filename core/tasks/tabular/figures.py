"""The figures of a tabular model, by what its outputs are."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.metrics import classification, regression

Array = np.ndarray[Any, Any]


def figures(outputs: Array, target: Array, *, threshold: float = 0.5) -> dict[str, float]:
    """Metrics by name. outputs: probabilities (rows, classes) with class codes, or values (rows, 1) with values.

    threshold: of the second class's probability, where there are two.
    """
    if outputs.shape[1] == 1:
        return regression.figures(outputs[:, 0], target)
    return classification.figures(outputs, target, threshold=threshold)
