"""How a canonical (right, anterior, superior) grid lies in a picture, and which letters stand at its edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ENDS = (("L", "R"), ("P", "A"), ("I", "S"))  # of canonical axis 0, 1, 2: where it begins, where it ends


@dataclass(frozen=True)
class Plane:
    """One way to cut: `normal`, `across` and `up` are canonical axes; the picture's top is the end of `up`."""

    name: str
    normal: int
    across: int
    up: int

    def mirrored(self, radiological: bool) -> bool:
        """Whether the picture's columns run against the axis `across`.

        Radiological: the patient's right is on the picture's left. Sagittal pictures have anterior on the left in
        both conventions.
        """
        return radiological or self.across == 1

    def picture(self, canonical: Array, index: int, radiological: bool) -> Array:
        """The slice as a view (rows, columns), first row at the top."""
        cut = [slice(None), slice(None), slice(None)]
        cut[self.normal] = index  # type: ignore[call-overload]
        flat = canonical[tuple(cut)]  # the two axes left are in rising order, so (across, up)
        return flat.T[::-1, ::-1] if self.mirrored(radiological) else flat.T[::-1]

    def to_picture(self, index_ras: Array, shape: tuple[int, ...], radiological: bool) -> tuple[float, float]:
        """Canonical voxel index -> (column, row) of the picture, voxel centres at whole numbers."""
        column, row = float(index_ras[self.across]), shape[self.up] - 1 - float(index_ras[self.up])
        return (shape[self.across] - 1 - column if self.mirrored(radiological) else column), row

    def from_picture(
        self, column: float, row: float, shape: tuple[int, ...], radiological: bool
    ) -> tuple[float, float]:
        """(column, row) -> the canonical index along `across` and `up`."""
        across = shape[self.across] - 1 - column if self.mirrored(radiological) else column
        return across, shape[self.up] - 1 - row

    def letters(self, radiological: bool) -> tuple[str, str, str, str]:
        """The letters at the left, right, top and bottom edge."""
        first, last = ENDS[self.across]
        left, right = (last, first) if self.mirrored(radiological) else (first, last)
        bottom, top = ENDS[self.up]
        return left, right, top, bottom


AXIAL = Plane("Axial", normal=2, across=0, up=1)
CORONAL = Plane("Coronal", normal=1, across=0, up=2)
SAGITTAL = Plane("Sagittal", normal=0, across=1, up=2)
PLANES = (AXIAL, CORONAL, SAGITTAL)


SIDES_UNKNOWN = "The patient's sides are not known"


def side_words(radiological: bool, *, short: bool = False) -> str:
    """What stands above the views at all times; `short`: where there is little room."""
    side = "left" if radiological else "right"
    return f"Patient's right is on the {side}" + ("" if short else " of the picture")
