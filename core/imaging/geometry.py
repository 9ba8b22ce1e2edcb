"""Affines, axis codes and reorientation; every index and point carries its space in its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def orientation_codes(affine_ras: Array) -> str:
    """The nearest axis codes of the three voxel axes.

    >>> orientation_codes(np.diag([-1.0, -1.0, 2.0, 1.0]))
    'LPS'
    """
    return "".join(("LR", "PA", "IS")[axis][int(positive)] for axis, positive in _nearest_axes(affine_ras))


def _nearest_axes(affine_ras: Array) -> list[tuple[int, bool]]:
    """For each voxel axis the patient axis it runs nearest to (0..2), and whether in its direction.

    As nibabel's `io_orientation`: shear is removed, then the axis nearest to a patient axis chooses first. Done here
    because importing nibabel takes longer than reading a scan.
    """
    axes = affine_ras[:3, :3] / np.linalg.norm(affine_ras[:3, :3], axis=0)
    left, _, right = np.linalg.svd(axes)
    rotation = left @ right
    nearest = [(0, True)] * 3
    for native in np.argsort(-(rotation**2).max(axis=0), kind="stable"):
        axis = int(np.argmax(np.abs(rotation[:, native])))
        nearest[native] = (axis, bool(rotation[axis, native] > 0))
        rotation[axis] = 0  # each patient axis is given once
    return nearest


def index_to_ras_mm(affine_ras: Array, index_ijk: Array) -> Array:
    """Voxel indices (..., 3) -> RAS millimetres (..., 3)."""
    return np.asarray(index_ijk, float) @ affine_ras[:3, :3].T + affine_ras[:3, 3]


def ras_mm_to_index(affine_ras: Array, point_ras_mm: Array) -> Array:
    """RAS millimetres (..., 3) -> continuous voxel indices (..., 3)."""
    inverse = np.linalg.inv(affine_ras)
    return np.asarray(point_ras_mm, float) @ inverse[:3, :3].T + inverse[:3, 3]


def corners_ras_mm(affine_ras: Array, shape: tuple[int, int, int]) -> Array:
    """The eight outermost voxel centres, (8, 3) in RAS millimetres."""
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij"), axis=-1).reshape(-1, 3)
    return index_to_ras_mm(affine_ras, corners)


@dataclass(frozen=True)
class Reorientation:
    """How an array was turned so that its axes run nearest to right, anterior, superior: exact, and invertible."""

    order: tuple[int, int, int]  # canonical axis a is native axis order[a]
    flips: tuple[bool, bool, bool]  # whether canonical axis a runs against its native axis

    def apply(self, native: Array) -> Array:
        """(i, j, k, ...) native -> canonical, as a view."""
        turned = native.transpose(*self.order, *range(3, native.ndim))
        return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]

    def invert(self, canonical: Array) -> Array:
        """(i, j, k, ...) canonical -> native, as a view."""
        unflipped = canonical[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]
        back = [self.order.index(axis) for axis in range(3)]
        return unflipped.transpose(*back, *range(3, canonical.ndim))

    def affine(self, affine_ras: Array, native_shape: tuple[int, int, int]) -> Array:
        """The affine of the canonical array."""
        turn = np.zeros((4, 4))
        turn[3, 3] = 1
        for axis, (native, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            turn[native, axis] = -1 if flip else 1
            turn[native, 3] = native_shape[native] - 1 if flip else 0
        return affine_ras @ turn


def to_canonical(affine_ras: Array) -> Reorientation:
    """The reorientation that brings an array with this affine nearest to RAS."""
    order = [0, 0, 0]
    flips = [False, False, False]
    for native, (canonical, positive) in enumerate(_nearest_axes(affine_ras)):
        order[canonical] = native
        flips[canonical] = not positive
    return Reorientation((order[0], order[1], order[2]), (flips[0], flips[1], flips[2]))
