"""Slices of a scan where its attribution is strongest, ready to be set side by side on a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging.geometry import to_canonical
from core.imaging.reader import read
from core.imaging.volume import NO_ORIENTATION, NO_PLACE

Array = np.ndarray[Any, Any]

AXIAL_SLICES = 3
APART_MM = 14.0  # of axial slices at least
MARGIN_MM = 10.0  # around the head
# The axes (right, anterior, superior) that run across the picture and up in it, and the letters at its left, right,
# top and bottom: the patient's right is on the left, and anterior of a sagittal slice.
PLANES = {
    "Axial": (2, 0, 1, ("R", "L", "A", "P")),
    "Coronal": (1, 0, 2, ("R", "L", "S", "I")),
    "Sagittal": (0, 1, 2, ("A", "P", "S", "I")),
}


@dataclass(frozen=True, eq=False)
class Slice:
    """grey: (rows, columns) 0..1. reasons: the same of the attribution, in score for each cm3. place_mm: RAS, of the
    plane along its normal. wide_mm, high_mm: of the picture.
    """

    plane: str
    place_mm: float
    grey: Array
    reasons: Array
    letters: tuple[str, str, str, str]
    wide_mm: float
    high_mm: float

    @property
    def title(self) -> str:
        return f"{self.plane}, {'xyz'[PLANES[self.plane][0]]} = {self.place_mm:+.0f} mm"


@dataclass(frozen=True, eq=False)
class Sliced:
    """The slices of one image.

    strength: what 99.9 % of its attribution stay below, in score for each cm3. sides_known: whether the file says where
    the patient's sides are.
    """

    slices: list[Slice]
    strength: float
    sides_known: bool


def sliced(scan: Path, reasons: Path, voxel_cm3: float, control: JobControl) -> Sliced:
    """Three axial slices, a coronal and a sagittal one, where the attribution is strongest.

    reasons: on the scan's own grid, in score for each voxel of the model's grid, which has `voxel_cm3`.
    Raises UnreadableScan where a file cannot be read or the two do not fit.
    """
    volume, known = read(scan, control.silent()), read(reasons, control.silent())
    turn = to_canonical(volume.affine_ras)
    affine = turn.affine(volume.affine_ras, volume.grid_shape)
    values = np.nan_to_num(turn.apply(_first(volume.values())))
    control.check()
    weights = np.nan_to_num(turn.apply(_first(known.values()))) / voxel_cm3
    if values.shape != weights.shape:
        raise UnreadableScan("the map does not lie on the scan's grid", where=reasons)
    control.check()
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = np.percentile(values[::2, ::2, ::2], (1, 99.7))
    grey = np.clip((values - low) / max(float(high - low), 1e-9), 0, 1)
    box = _around(grey > 0.08, spacing)
    sizes = np.abs(weights)
    profiles = [sizes.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    places = [("Axial", place) for place in strongest(profiles[2], spacing[2], AXIAL_SLICES)]
    places += [("Coronal", strongest(profiles[1], spacing[1], 1)[0])]
    places += [("Sagittal", strongest(profiles[0], spacing[0], 1)[0])]
    cut = [_slice(plane, place, grey, weights, box, affine, spacing) for plane, place in places]
    there = sizes[sizes > 0]
    sides_known = not any(finding.code in (NO_ORIENTATION, NO_PLACE) for finding in volume.findings)
    return Sliced(cut, float(np.quantile(there, 0.999)) if there.size else 0.0, sides_known)


def strongest(profile: Array, spacing_mm: float, count: int) -> list[int]:
    """The places along an axis with the most, from low to high and apart; the middle where there is nothing.

    >>> strongest(np.array([0, 5, 4, 0, 0, 3, 0.0]), 7.0, 2), strongest(np.zeros(5), 1.0, 1)
    ([1, 5], [2])
    """
    left = profile.astype(float).copy()
    found: list[int] = []
    reach = max(round(APART_MM / spacing_mm), 1)
    while len(found) < count and left.max() > 0:
        best = int(left.argmax())
        found.append(best)
        left[max(best - reach, 0) : best + reach + 1] = 0
    return sorted(found) or [len(profile) // 2]


def _first(values: Array) -> Array:
    """Of several volumes the first."""
    return values if values.ndim == 3 else values.reshape(*values.shape[:3], -1)[..., 0]


def _around(inside: Array, spacing: Array) -> tuple[slice, ...]:
    """The part of a grid that holds something, with room around it; all where there is nothing."""
    found = []
    for axis in range(3):
        held = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        size, room = inside.shape[axis], round(MARGIN_MM / spacing[axis])
        first, last = (int(held[0]), int(held[-1])) if held.size else (0, size - 1)
        found.append(slice(max(first - room, 0), min(last + room + 1, size)))
    return tuple(found)


def _slice(
    plane: str, place: int, grey: Array, weights: Array, box: tuple[slice, ...], affine: Array, spacing: Array
) -> Slice:
    normal, across, up, letters = PLANES[plane]
    cut: list[Any] = list(box)
    cut[normal] = place
    # The two axes that are left are in rising order, so (across, up); both run against their axes in the picture.
    pictures = [one[tuple(cut)].T[::-1, ::-1] for one in (grey, weights)]
    middle = np.array([(part.start + part.stop - 1) / 2 for part in box])
    middle[normal] = place
    rows, columns = pictures[0].shape
    return Slice(
        plane, float((affine[:3, :3] @ middle + affine[:3, 3])[normal]), pictures[0], pictures[1], letters,
        columns * float(spacing[across]), rows * float(spacing[up]),
    )  # fmt: skip
