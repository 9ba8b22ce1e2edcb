"""A compressed scan while it is still being decoded: where it lies, and those of its slices that are there.

Only for showing. It is not a Volume, so nothing that computes takes it: the checksum stands at the end of the file,
and until it has been compared every number is a promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.imaging.volume import Source

Array = np.ndarray[Any, Any]


@dataclass(eq=False)
class Filling:
    """Numbers flat in file order, of which the first `count` have been decoded; a reader counts on as it goes."""

    numbers: Array
    count: int = 0


Begun = Callable[[Filling], None]


@dataclass(frozen=True, eq=False)
class PartialVolume:
    """What a reader hands over once enough of a file is decoded to be looked at. Safe to look at from any thread.

    shape: (i, j, k) or (i, j, k, t) of the whole scan; the other fields are those of the Volume that it becomes.
    """

    shape: tuple[int, ...]
    affine_ras: Array
    source: Source
    slope: float
    intercept: float
    filling: Filling

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        i, j, k = self.shape[:3]
        return i, j, k

    @property
    def fraction(self) -> float:
        return self.filling.count / self.filling.numbers.size

    def slices(self, time: int = 0) -> Array:
        """(i, j, n): the slices of one time point that are whole, k = 0 to n - 1. A view; never a number too many."""
        i, j, k = self.grid_shape
        start = time * i * j * k
        there = min(max((self.filling.count - start) // (i * j), 0), k)
        view = self.filling.numbers[start : start + there * i * j].reshape((i, j, there), order="F")
        view.flags.writeable = False
        return view


Early = Callable[[PartialVolume], None]


def hand_over(
    early: Early | None,
    shape: tuple[int, ...],
    affine_ras: Array,
    source: Source,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> Begun | None:
    """What `read_payload` calls when a scan can be looked at; None where no one asked to see it early."""
    if early is None:
        return None
    return lambda filling: early(PartialVolume(shape, affine_ras, source, slope, intercept, filling))
