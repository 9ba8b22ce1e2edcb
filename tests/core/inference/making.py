"""Scans for which it is known what a network marks, and such networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Array = np.ndarray[Any, Any]


def bright_box(shape: tuple[int, int, int] = (20, 24, 18)) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """An image with one bright box near its first corner, and the box's mask."""
    mask = np.zeros(shape, bool)
    mask[3:8, 4:10, 2:7] = True
    noise = np.random.default_rng(1).normal(0, 5, shape)
    return np.where(mask, 500, noise + 100).astype(np.int16), mask


class Smooth(torch.nn.Module):
    """Marks where the mean of the 5 x 5 x 5 voxels around is high: like any network it sees less at a window's edge."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        mean = torch.nn.functional.avg_pool3d(image, 5, stride=1, padding=2)
        return torch.cat([torch.zeros_like(mean), 12 * (mean - 0.5)], dim=1)


def balls(size: int, centres: list[tuple[int, int, int]], radius: float) -> Array:
    grid = np.indices((size,) * 3)
    found = np.zeros((size,) * 3, bool)
    for centre in centres:
        found |= ((grid - np.array(centre).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < radius**2
    return found
