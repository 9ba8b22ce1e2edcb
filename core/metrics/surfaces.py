"""Two masks' surfaces, and how far each lies from the other, in millimetres.

A surface is the voxels of a mask that have a face on its outside; each counts with the area of these faces, so that
thick slices count as much as they cover. Distances run between voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

Array = np.ndarray[Any, Any]

ROUNDING_MM = 1e-4  # spacings are stored as float32


@dataclass(frozen=True, eq=False)
class OneWay:
    """From each voxel of one surface to the other surface: distance in mm, and the voxel's own area in mm^2."""

    distances: Array
    areas: Array

    def percentile(self, percent: float) -> float:
        """The distance within which that part of the surface lies."""
        order = np.argsort(self.distances)
        covered = np.cumsum(self.areas[order])
        place = int(np.searchsorted(covered, percent / 100 * covered[-1] * (1 - 1e-9)))
        return float(self.distances[order][place])

    def within(self, tolerance_mm: float) -> float:
        """The area in mm^2 that lies no farther away."""
        return float(self.areas[self.distances <= tolerance_mm + ROUNDING_MM].sum())


@dataclass(frozen=True)
class Surfaces:
    """From the truth's surface to the prediction's, and back."""

    of_truth: OneWay
    of_prediction: OneWay


def measure_surfaces(truth: Array, prediction: Array, spacing_mm: tuple[float, ...]) -> Surfaces:
    """Both directions between two masks that are not empty."""
    either = truth | prediction
    inside = tuple(
        slice(int(places.min()), int(places.max()) + 1) for places in np.nonzero(either)
    )  # neither mask has a surface beyond
    areas = [surface_areas(mask[inside], spacing_mm) for mask in (truth, prediction)]
    ways = []
    for own, other in (areas, reversed(areas)):
        away = ndimage.distance_transform_edt(other == 0, sampling=spacing_mm)
        ways.append(OneWay(away[own > 0], own[own > 0]))
    return Surfaces(*ways)


def surface_areas(mask: Array, spacing_mm: tuple[float, ...]) -> Array:
    """The area in mm^2 of each voxel's faces on the outside of a mask; 0 inside and outside.

    >>> surface_areas(np.ones((1, 1, 3), bool), (1.0, 1.0, 2.0)).tolist()
    [[[9.0, 8.0, 9.0]]]
    """
    areas = np.zeros(mask.shape)
    for axis, spacing in enumerate(spacing_mm):
        edges = np.diff(np.pad(mask, [(int(a == axis),) * 2 for a in range(mask.ndim)]).astype(np.int8), axis=axis)
        length = mask.shape[axis]
        faces = np.take(edges, range(length), axis) == 1  # where the mask begins
        areas += faces * (np.prod(spacing_mm) / spacing)
        areas += (np.take(edges, range(1, length + 1), axis) == -1) * (np.prod(spacing_mm) / spacing)
    return areas
