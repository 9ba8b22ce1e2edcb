"""Images in template space on a model's grid, with values that can be compared between scanners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import UnsuitableScan
from core.imaging.mni import Grid, looked_up, tissues
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]

FARTHEST = 6.0  # deviations: a bright vessel or a metal artefact is no more than that
LEAST_REFERENCE = 0.2  # of the brain's median uptake: less in the cerebellum means that it is not in the picture
LEAST_BRAIN = 0.3  # of the brain's voxels that an MRI has to show
MOST_SUVR = 10.0


def on_grid(volume: Volume, grid: Grid, control: JobControl | None = None) -> Array:
    """(x, y, z) float32: an image in template space on the grid; what is no number counts as 0."""
    values = np.nan_to_num(volume.values(), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return looked_up(values, volume.affine_ras, grid, control)


def normalised_mri(values: Array, grid: Grid, where: Path) -> Array:
    """Zero mean and unit deviation inside the brain, as the template and the picture both have it; 0 elsewhere."""
    inside = tissues(grid).inside & (values > 0)
    if inside.sum() < LEAST_BRAIN * tissues(grid).inside.sum():
        raise UnsuitableScan(
            "the MRI shows less than a third of the brain", where=where, mend="Give a whole head, the right way up."
        )
    mean, spread = float(values[inside].mean()), float(values[inside].std())
    found = np.clip((values - mean) / max(spread, 1e-6), -FARTHEST, FARTHEST)
    return np.where(inside, found, 0).astype(np.float32)


def suvr(values: Array, grid: Grid, where: Path) -> Array:
    """Uptake relative to the mean of cerebellar grey matter; 0 outside of the brain. Raises UnsuitableScan."""
    known = tissues(grid)
    reference = values[known.reference]
    middle = float(np.median(values[known.inside]))
    level = float(reference.mean()) if reference.size else 0.0
    if not middle > 0 or level < LEAST_REFERENCE * middle:
        raise UnsuitableScan(
            "the PET shows no uptake in the cerebellum, by which the rest is measured", where=where,
            mend="Give a PET of the whole brain, with its background at zero.",
        )  # fmt: skip
    found = np.clip(values / level, 0, MOST_SUVR)
    return np.where(known.inside, found, 0).astype(np.float32)
