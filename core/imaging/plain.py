"""Voxels for formats that keep no slope and intercept: their true values, taken a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.imaging.checks import slabs

Array = np.ndarray[Any, Any]

_WHOLE_TYPES = ("u1", "i2", "u2", "i4", "u4", "i8")
_FLOAT32_EXACT = 2**24


@dataclass(frozen=True)
class PlainValues:
    """Voxels (i, j, k[, t]) whose true values are taken a slice at a time, so that no second volume is made."""

    voxels: Array
    slope: float
    intercept: float
    dtype: np.dtype[Any]  # little endian

    @property
    def shape(self) -> tuple[int, ...]:
        return self.voxels.shape

    def slices(self) -> Iterator[tuple[int, ...]]:
        """The index of each slice in file order: (k,), or (t, k)."""
        return np.ndindex(*self.voxels.T.shape[:-2])

    def slice_bytes(self, index: tuple[int, ...]) -> bytes:
        """One slice in file order, i fastest."""
        stored = self.voxels.T[index]
        if (self.slope, self.intercept) != (1.0, 0.0):
            exact = np.int64 if self.dtype.kind in "iu" else np.float64
            stored = stored.astype(exact) * exact(self.slope) + exact(self.intercept)
        return np.ascontiguousarray(stored, self.dtype).tobytes()


def plain_values(voxels: Array, slope: float, intercept: float) -> PlainValues:
    """The values `voxels * slope + intercept`.

    Whole numbers stay whole and exact under a whole slope and intercept (Hounsfield units, for one); anything else
    becomes float32, or float64 where the stored numbers need it.
    """
    dtype = voxels.dtype
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    elif dtype == np.float16:
        dtype = np.dtype(np.float32)
    if (slope, intercept) != (1.0, 0.0):
        dtype = _type_of_values(voxels, slope, intercept)
    return PlainValues(voxels, slope, intercept, dtype.newbyteorder("<"))


def _type_of_values(voxels: Array, slope: float, intercept: float) -> np.dtype[Any]:
    stored = voxels.dtype
    if stored.kind not in "iu":
        return np.dtype(np.float64 if stored.itemsize > 4 else np.float32)
    low = min(int(slab.min()) for slab in slabs(voxels))
    high = max(int(slab.max()) for slab in slabs(voxels))
    if slope == int(slope) and intercept == int(intercept):
        ends = sorted(value * int(slope) + int(intercept) for value in (low, high))
        for name in (stored.str[1:], *_WHOLE_TYPES):
            limits = np.iinfo(name)
            if limits.min <= ends[0] and ends[1] <= limits.max and abs(low) < 2**62 and abs(high) < 2**62:
                return np.dtype(name)
    return np.dtype(np.float64 if max(abs(low), abs(high)) > _FLOAT32_EXACT else np.float32)
