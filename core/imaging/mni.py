"""The ICBM 152 template as tissue maps on a model's grid: brain, grey and white matter, fluid, and the PET's reference.

The maps come with nilearn: probabilities of the 2009a nonlinear symmetric template, at 1 mm (`core.imaging.sample` has
its licence). A brain in them is left-right symmetric, so nothing of a subject's sides can come from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from core.control import JobControl
from core.imaging.reader import read
from core.imaging.sample import template_file
from core.imaging.titles import TEMPLATE_FILE

Array = np.ndarray[Any, Any]

# The middle of the template's brain, in MNI millimetres: where the middle of every model's grid lies.
CENTRE_MNI_MM = (0.0, -17.0, 5.0)

# The box that holds the cerebellum and no cortex, in MNI mm: x, y, z from .. to. Its grey matter is the reference of
# the PET's uptake, as it is spared in Alzheimer's disease until late.
CEREBELLUM_MNI_MM = ((-48.0, 48.0), (-85.0, -45.0), (-60.0, -26.0))

_SLAB = 16  # slices between two looks at the cancel


@dataclass(frozen=True)
class Grid:
    """A model's grid in MNI space, axes along right, anterior, superior, centred on the template's brain.

    shape: voxels along x, y, z. The default of 91 x 120 x 91 at 2 mm covers the whole head.
    """

    shape: tuple[int, int, int] = (91, 120, 91)
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)

    @property
    def affine_ras(self) -> Array:
        """4 x 4 float64, voxel index -> MNI millimetres."""
        affine = np.diag([*self.spacing_mm, 1.0])
        for axis in range(3):
            affine[axis, 3] = CENTRE_MNI_MM[axis] - self.spacing_mm[axis] * (self.shape[axis] - 1) / 2
        return affine

    def places_mm(self) -> tuple[Array, Array, Array]:
        """The MNI coordinates of the voxels, as three float32 arrays that broadcast to the grid's shape."""
        affine = self.affine_ras
        x, y, z = (np.asarray(affine[a, 3] + affine[a, a] * np.arange(self.shape[a]), np.float32) for a in range(3))
        return x[:, None, None], y[None, :, None], z[None, None, :]


@dataclass(frozen=True, eq=False)
class Tissues:
    """The template on a grid, each (x, y, z) float32 and read-only.

    t1: 0..1. brain, grey, white, fluid: the share of each voxel, 0..1; the last three add up to the brain.
    """

    grid: Grid
    t1: Array
    brain: Array
    grey: Array
    white: Array
    fluid: Array

    @property
    def inside(self) -> Array:
        """(x, y, z) bool: voxels that are mostly brain."""
        return self.brain > 0.5

    @property
    def reference(self) -> Array:
        """(x, y, z) bool: cerebellar grey matter, by which the PET's uptake is told."""
        return reference_region(self.grid, self.grey)


def reference_region(grid: Grid, grey: Array) -> Array:
    """The cerebellum's grey matter: of the voxels of its box those above a half, or on a coarse grid the best third."""
    box = np.ones(grid.shape, bool)
    for place, (low, high) in zip(grid.places_mm(), CEREBELLUM_MNI_MM, strict=True):
        box &= (place >= low) & (place <= high)
    if not box.any():
        return box
    least = min(0.5, float(np.quantile(grey[box], 2 / 3)))
    return box & (grey >= max(least, 0.05))


_held: dict[Grid, Tissues] = {}
_MOST_HELD = 4


def tissues(grid: Grid, control: JobControl | None = None) -> Tissues:
    """The template's maps averaged onto a grid; held, as they are asked for again and again.

    Raises IsocenterError where nilearn is not installed.
    """
    found = _held.get(grid)
    if found is None:
        found = _tissues(grid, control or JobControl())
        while len(_held) >= _MOST_HELD:
            _held.pop(next(iter(_held)), None)
        _held[grid] = found
    return found


def _tissues(grid: Grid, control: JobControl) -> Tissues:
    head, affine = _map("t1")
    t1, brain = (looked_up(of, affine, grid, control) for of in (head, (head > 0).astype(np.float32)))
    grey, white = (looked_up(*_map(name), grid, control) for name in ("gm", "wm"))
    grey, white = np.minimum(grey, brain), np.minimum(white, brain)
    over = np.maximum((grey + white) / np.maximum(brain, 1e-6), 1.0)
    grey, white = grey / over, white / over
    found = Tissues(grid, t1, brain, grey, white, np.maximum(brain - grey - white, 0.0))
    for array in (found.t1, found.brain, found.grey, found.white, found.fluid):
        array.flags.writeable = False
    return found


def _map(name: str) -> tuple[Array, Array]:
    """One of the template's 1 mm maps as 0..1 float32, and its affine."""
    volume = read(template_file(TEMPLATE_FILE.replace("_t1_", f"_{name}_")))
    return volume.values() / np.float32(255), volume.affine_ras


def looked_up(values: Array, affine_ras: Array, grid: Grid, control: JobControl | None = None) -> Array:
    """(x, y, z) float32: values in MNI space on a grid, linearly, 0 beyond them.

    Where the grid is coarser they are blurred first by its own voxel size, so that small things are averaged, not
    skipped.
    """
    control = control or JobControl()
    own = np.sqrt((affine_ras[:3, :3] ** 2).sum(axis=0))
    blur = 0.35 * np.maximum(np.array(grid.spacing_mm) / own - 1, 0)
    for axis, sigma in enumerate(blur):
        control.check()
        if sigma > 0.05:
            values = ndimage.gaussian_filter1d(values, sigma, axis, truncate=2.5)
    to_index = np.linalg.inv(affine_ras) @ grid.affine_ras
    found = np.empty(grid.shape, np.float32)
    for start in range(0, grid.shape[2], _SLAB):
        control.check()
        stop = min(start + _SLAB, grid.shape[2])
        offset = to_index[:3, 3] + to_index[:3, 2] * start
        found[:, :, start:stop] = ndimage.affine_transform(
            values, to_index[:3, :3], offset, output_shape=(*grid.shape[:2], stop - start), order=1, cval=0.0
        )
    return found
