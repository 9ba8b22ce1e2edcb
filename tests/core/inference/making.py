"""Scans for which it is known what the network of the tests marks."""

from __future__ import annotations

from typing import Any

import numpy as np


def bright_box(shape: tuple[int, int, int] = (20, 24, 18)) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """An image with one bright box near its first corner, and the box's mask."""
    mask = np.zeros(shape, bool)
    mask[3:8, 4:10, 2:7] = True
    noise = np.random.default_rng(1).normal(0, 5, shape)
    return np.where(mask, 500, noise + 100).astype(np.int16), mask
