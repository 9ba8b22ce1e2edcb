"""Attribution maps as files that lie over the scans they explain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import affine_transform

from core.control import JobControl
from core.data.cohort.images import in_template_space
from core.data.cohort.subject import Grid, Subject
from core.imaging.reader import read
from core.imaging.writer import write_volume

Array = np.ndarray[Any, Any]


def write_map(path: Path, volume: Array, grid: Grid, subject: Subject, kind: str, control: JobControl) -> None:
    """Write a map (x, y, z) of the model's grid on the own grid of the subject's "mri" or "pet".

    The map's unit is that of the score for each voxel of the model's grid, interpolated; 0 outside of it.
    """
    from core.tasks.alzheimers.preparing import cache_folder

    control.progress(None, "Writing the map")
    scan = read(getattr(subject, kind), control.silent())
    placed = scan.affine_ras
    if not in_template_space(scan):
        from core.imaging.preparation.prepare import prepare

        # What was prepared for the prediction is there still. The PET of a raw pair was placed by its MRI.
        pet = subject.pet if kind == "pet" else None
        ready = prepare(subject.mri, pet, cache_folder() / "prepared", control.silent())
        placed = np.array(ready.facts[kind]["affine"], float)
    to_grid = np.linalg.inv(grid.affine_ras) @ placed
    moved = affine_transform(
        volume.astype(np.float32), to_grid[:3, :3], to_grid[:3, 3], output_shape=scan.grid_shape, order=1, cval=0.0
    )
    source = replace(scan.source, format="NIfTI-1")
    found = replace(scan, voxels=moved.astype(np.float32), slope=1.0, intercept=0.0, source=source)
    write_volume(path, found, description="Isocenter attribution", control=control.silent())
