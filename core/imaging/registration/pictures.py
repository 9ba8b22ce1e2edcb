"""A scan as registration sees it: coarse, on a grid along the patient's axes, values between 0 and 1.

Being resampled here, with the affine of `Volume`, a scan may be oblique, sheared, flipped or anisotropic: ITK, which
knows no shear, gets plain boxes whose coordinates are RAS millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from core.control import JobControl
from core.imaging.geometry import corners_ras_mm
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]

STEP_MM = 2.0
MOST_SIDE = 400  # voxels of a picture along one side; longer fields of view get a coarser picture


@dataclass(frozen=True, eq=False)
class Picture:
    """values: (x, y, z) float32 in 0..1; inside: bool, where the scan has values; the origin is voxel 0, 0, 0."""

    values: Array
    inside: Array
    step_mm: float
    origin_ras_mm: Array

    def points_ras_mm(self, where: Array) -> Array:
        """The places of the voxels that `where` (x, y, z) marks, (n, 3)."""
        return np.argwhere(where) * self.step_mm + self.origin_ras_mm

    def values_at(self, points_ras_mm: Array) -> Array:
        """Values at places (n, 3), 0 outside of the picture."""
        index = ((points_ras_mm - self.origin_ras_mm) / self.step_mm).T
        return ndimage.map_coordinates(self.values, index, order=1, cval=0.0)

    def holds(self, points_ras_mm: Array) -> Array:
        """Whether places (n, 3) lie in the scan's field of view."""
        index = ((points_ras_mm - self.origin_ras_mm) / self.step_mm).T
        return ndimage.map_coordinates(self.inside.astype(np.float32), index, order=1, cval=0.0) > 0.5

    def coarser(self, factor: int) -> Picture:
        """Means over blocks of `factor` voxels a side."""
        values, affine = block_means(self.values, self._affine(), (factor,) * 3)
        inside, _ = block_means(self.inside.astype(np.float32), self._affine(), (factor,) * 3)
        return Picture(values, inside > 0.5, self.step_mm * factor, affine[:3, 3])

    def _affine(self) -> Array:
        affine = np.diag([self.step_mm] * 3 + [1.0])
        affine[:3, 3] = self.origin_ras_mm
        return affine

    def foreground(self) -> Array:
        """What is not background, holes filled: (x, y, z) bool."""
        bright = ndimage.gaussian_filter(self.values, 1.0) > threshold(self.values[self.inside])
        pieces, count = ndimage.label(bright)
        if count > 1:
            bright = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
        return ndimage.binary_fill_holes(ndimage.binary_closing(bright, iterations=2))


def picture(volume: Volume, control: JobControl, step_mm: float = STEP_MM) -> Picture:
    """The picture of a scan (of its first time point)."""
    control.check()
    affine = volume.affine_ras
    values = _scaled(volume.values())
    control.check()
    spacing = np.array(volume.spacing_mm)
    blocks = tuple(max(int(n), 1) for n in np.minimum(np.floor(step_mm / spacing + 0.01), volume.grid_shape))
    values, affine = block_means(values, affine, blocks)
    control.check()
    corners = corners_ras_mm(affine, (values.shape[0], values.shape[1], values.shape[2]))
    low, high = corners.min(axis=0), corners.max(axis=0)
    step_mm = max(step_mm, float((high - low).max()) / MOST_SIDE)
    shape = np.maximum(np.ceil((high - low) / step_mm).astype(int) + 1, 2)
    grid = np.diag([step_mm] * 3 + [1.0])
    grid[:3, 3] = low
    to_index = np.linalg.inv(affine) @ grid
    # "nearest" and a mask of its own, so that the edge of the field of view is no edge in the picture
    found = ndimage.affine_transform(
        values, to_index[:3, :3], to_index[:3, 3], output_shape=tuple(shape), order=1, mode="nearest"
    )
    control.check()
    inside = np.ones(tuple(shape), bool)
    sides = np.ogrid[tuple(slice(n) for n in shape)]
    for axis, n in enumerate(values.shape):
        place = sum(to_index[axis, k] * sides[k] for k in range(3)) + to_index[axis, 3]
        inside &= (place >= -0.5) & (place <= n - 0.5)
    found[~inside] = 0.0
    return Picture(found, inside, step_mm, low)


def block_means(values: Array, affine_ras: Array, block: tuple[int, ...]) -> tuple[Array, Array]:
    """Means of blocks of voxels, and their affine; what does not fill a block at the end is left out."""
    i, j, k = (n // b for n, b in zip(values.shape, block, strict=True))
    cut = values[: i * block[0], : j * block[1], : k * block[2]]
    means = cut.reshape(i, block[0], j, block[1], k, block[2]).mean(axis=(1, 3, 5), dtype=np.float32)
    scale = np.diag([*block, 1.0])
    scale[:3, 3] = [(b - 1) / 2 for b in block]
    return means, affine_ras @ scale


def shares(mask: Array, factor: int) -> Array:
    """The share of each block of `factor` voxels a side that a mask marks, on the grid of `Picture.coarser`."""
    return block_means(mask.astype(np.float32), np.eye(4), (factor,) * 3)[0]


def threshold(values: Array) -> float:
    """Otsu's threshold (1979) of values in 0..1."""
    counts, edges = np.histogram(values, 128, (0.0, 1.0))
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts).astype(float)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(all="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(middles[int(np.nanargmax(between))]) if np.isfinite(between).any() else 0.5


def _scaled(values: Array) -> Array:
    """Values between the 0.5th and 99.8th percentile as 0..1; no numbers become 0."""
    some = values[:: max(values.shape[0] // 96, 1), :: max(values.shape[1] // 96, 1), :: max(values.shape[2] // 96, 1)]
    some = some[np.isfinite(some)]
    low, high = np.percentile(some, (0.5, 99.8)) if some.size else (0.0, 0.0)
    if not high > low:
        return np.zeros_like(values)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    values -= np.float32(low)
    values *= np.float32(1 / (high - low))
    return np.clip(values, 0, 1, out=values)
