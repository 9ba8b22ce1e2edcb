"""Means over regions of the brain: what a simple method sees of an image.

The regions are boxes of the template's grey matter, in MNI space: no atlas is needed, and every voxel of cortex is in
one. In an MRI the mean falls where grey matter gives way to fluid, as a volume would; it is no measured volume. In a
PET it is the region's uptake (SUVR).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from core.imaging.mni import Grid, tissues

Array = np.ndarray[Any, Any]

SIDE_MM = 30.0
LEAST_ML = 4.0  # of grey matter in a region


@dataclass(frozen=True, eq=False)
class Regions:
    """codes: (x, y, z) int32, 0 outside, else 1 and up. weights: (x, y, z) float32, the share of grey matter."""

    codes: Array
    weights: Array
    names: tuple[str, ...]

    def means(self, volume: Array | None) -> Array:
        """(regions,) float64: the mean of each, weighed by grey matter; NaN for an image that is missing."""
        if volume is None:
            return np.full(len(self.names), np.nan)
        codes, weights = self.codes.ravel(), self.weights.ravel()
        sums = np.bincount(codes, weights * volume.ravel(), len(self.names) + 1)
        return np.asarray(sums[1:] / np.bincount(codes, weights, len(self.names) + 1)[1:])


@lru_cache(maxsize=4)
def regions(grid: Grid) -> Regions:
    """The regions on a grid, left and right of the midline apart, named by their middles in MNI mm."""
    known = tissues(grid)
    grey = np.where(known.inside, known.grey, 0).astype(np.float32)
    x, y, z = grid.places_mm()
    # Left and right never share a box: its edge lies on the midline.
    boxes = [np.broadcast_to(np.floor(place / SIDE_MM).astype(int), grid.shape) for place in (x, y + 17, z - 5)]
    ml = float(np.prod(grid.spacing_mm)) / 1000
    codes = np.zeros(grid.shape, np.int32)
    names = []
    keys = np.stack([box[grey > 0] for box in boxes], axis=1)
    for i, j, k in np.unique(keys, axis=0).tolist():
        here = (boxes[0] == i) & (boxes[1] == j) & (boxes[2] == k) & (grey > 0)
        if grey[here].sum() * ml < LEAST_ML:
            continue
        names.append(f"{(i + 0.5) * SIDE_MM:+.0f} {(j + 0.5) * SIDE_MM - 17:+.0f} {(k + 0.5) * SIDE_MM + 5:+.0f}")
        codes[here] = len(names)
    return Regions(codes, grey, tuple(names))


def regional(pairs: Iterable[tuple[Array | None, Array | None]], grid: Grid) -> Array:
    """(subjects, 2 * regions) float64: the means of each subject's MRI, then of the PET; NaN where one is missing."""
    known = regions(grid)
    return np.stack([np.concatenate([known.means(mri), known.means(pet)]) for mri, pet in pairs])
