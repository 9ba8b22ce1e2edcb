"""Making a skewed stack straight: each slice is shifted within its own plane, as a gantry's tilt asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.control import JobControl

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Straightening:
    """How a skewed stack becomes straight, in pixels along (rows' axis, columns' axis).

    drift: by how much the stack's line leaves the normal from the first slice to the last.
    before, after: pixels that the grid grows by on each side, so that no slice loses any.
    """

    drift: tuple[float, float]

    @property
    def before(self) -> tuple[int, int]:
        return math.ceil(max(0.0, -self.drift[0])), math.ceil(max(0.0, -self.drift[1]))

    @property
    def after(self) -> tuple[int, int]:
        return math.ceil(max(0.0, self.drift[0])), math.ceil(max(0.0, self.drift[1]))

    def shape(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of the straight grid."""
        return rows + self.before[0] + self.after[0], columns + self.before[1] + self.after[1]

    def apply(self, slices: Array, control: JobControl) -> Array:
        """(k, rows, columns) skewed -> straight, linear between pixels, in the same dtype; outside is the lowest value.

        The first slice keeps its pixels exactly.
        """
        count, rows, columns = slices.shape
        straight = np.full((count, *self.shape(rows, columns)), slices.min(), slices.dtype)
        for k in range(count):
            control.check()
            share = k / max(count - 1, 1)
            (row, part_row), (column, part_column) = (
                _split(before + share * drift) for before, drift in zip(self.before, self.drift, strict=True)
            )
            plane = slices[k]
            if part_row or part_column:
                plane = _shifted(_shifted(plane.astype(np.float64), part_row, 0), part_column, 1)
                plane = np.rint(plane) if slices.dtype.kind in "iu" else plane
            height, width = plane.shape
            straight[k, row : row + height, column : column + width] = plane
        return straight


def _split(shift: float) -> tuple[int, float]:
    """Whole pixels and a part of one; a part too small to see is none."""
    nearest = round(shift)
    if abs(shift - nearest) < 1e-3:
        return nearest, 0.0
    return math.floor(shift), shift - math.floor(shift)


def _shifted(plane: Array, part: float, axis: int) -> Array:
    """Moved on by a part of a pixel; one pixel longer along the axis, its ends repeated."""
    if not part:
        return plane
    ahead = np.concatenate([plane, np.take(plane, [-1], axis)], axis)
    behind = np.concatenate([np.take(plane, [0], axis), plane], axis)
    return ahead * (1 - part) + behind * part
