"""Attribution maps as files that lie over the scans they explain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.cohort.subject import Grid

Array = np.ndarray[Any, Any]


def write_map(path: Path, volume: Array, grid: Grid, scan: Path | None, control: JobControl) -> None:
    """Write a map (x, y, z) of the model's grid as NIfTI on the scan's own grid."""
    import nibabel as nib
    from scipy.ndimage import affine_transform

    from core.files import replacing
    from core.imaging.reader import read_volume

    control.progress(None, "Writing the map")
    image = nib.Nifti1Image(volume.astype(np.float32), grid.affine_ras)
    if scan is not None:
        native = read_volume(scan, control.silent())
        to_grid = np.linalg.inv(grid.affine_ras) @ native.affine_ras
        moved = affine_transform(volume, to_grid[:3, :3], to_grid[:3, 3], output_shape=native.shape, order=1)
        image = nib.Nifti1Image(moved.astype(np.float32), native.affine_ras)
    with replacing(path) as part:
        named = part.with_name(part.name + path.name[path.name.index(".") :])
        nib.save(image, named)
        named.rename(part)
