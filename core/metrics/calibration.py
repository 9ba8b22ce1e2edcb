"""Temperature scaling: one number that makes probabilities as sure as they are right (Guo et al., arXiv 1706.04599)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

Array = np.ndarray[Any, Any]


def fit_temperature(probabilities: Array, target: Array) -> float:
    """The temperature of lowest log-loss, between 0.2 and 5. probabilities (rows, classes), target (rows,) codes."""
    logits = np.log(np.clip(probabilities, 1e-12, 1))
    rows = np.arange(len(target))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, target]).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(found.x)) if loss(found.x) < loss(0.0) else 1.0


def tempered(probabilities: Array, temperature: float | Array) -> Array:
    """Probabilities (rows, classes) at another temperature, one for all or (rows, 1).

    >>> tempered(np.array([[0.9, 0.1]]), 2.0).round(2)
    array([[0.75, 0.25]])
    """
    if np.all(temperature == 1.0):
        return probabilities
    raised = np.clip(probabilities, 1e-12, 1) ** (1 / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
