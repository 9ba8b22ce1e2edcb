"""How good predicted numbers are, over a whole split."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def figures(values: Array, target: Array) -> dict[str, float]:
    """mse, mae, r2 and Pearson's r of (rows,) values; loss is the mean squared error.

    Where the target does not vary, r2 is 0; r is 0 where either does not.
    """
    values, target = np.asarray(values, np.float64), np.asarray(target, np.float64)
    error = values - target
    # Of equal numbers the mean may be a last digit off, which is no spread.
    spread = float(((target - target.mean()) ** 2).sum()) if np.ptp(target) > 0 else 0.0
    mse = float((error**2).mean())
    return {
        "loss": mse,
        "mse": mse,
        "mae": float(np.abs(error).mean()),
        "r2": float(1 - (error**2).sum() / spread) if spread else 0.0,
        "pearson": pearson(values, target),
    }


def pearson(values: Array, target: Array) -> float:
    """Pearson's correlation; 0 where one of the two does not vary.

    >>> pearson(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])).__round__(6)
    1.0
    """
    one, two = values - values.mean(), target - target.mean()
    scale = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum() / scale) if len(values) > 1 and scale > 0 else 0.0
