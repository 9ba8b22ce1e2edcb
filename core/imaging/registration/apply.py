"""A registered scan on the fixed scan's grid, and the transform as files that other programs read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from core import __version__
from core.control import JobControl
from core.files import write_text
from core.imaging.registration.register import Registration
from core.imaging.registration.target import template_target
from core.imaging.titles import stem_of
from core.imaging.volume import Volume
from core.imaging.writer import write_volume

_MNI_CODE = 4
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK measures to the left and to the back
_SLAB = 16  # slices of the result between two looks at the cancel


def resampled(moving: Volume, found: Registration, fixed: Volume | None, control: JobControl | None = None) -> Volume:
    """The scan's values on the grid of `fixed` (None: of the template), float32; its lowest value where it has none.

    Interpolated linearly, once, from the stored voxels; of a scan with several time points the first.
    """
    control = control or JobControl()
    grid = template_target().volume if fixed is None else fixed
    values = np.nan_to_num(moving.values())
    lowest = float(values.min())
    to_index = np.linalg.inv(found.moving_to_fixed @ moving.affine_ras) @ grid.affine_ras
    i, j, k = grid.grid_shape
    out = np.empty((i, j, k), np.float32)
    for start in range(0, k, _SLAB):
        control.progress(start / k, "Resampling")
        stop = min(start + _SLAB, k)
        offset = to_index[:3, 3] + to_index[:3, 2] * start
        out[:, :, start:stop] = ndimage.affine_transform(
            values, to_index[:3, :3], offset, output_shape=(i, j, stop - start), order=1, cval=lowest
        )
    codes = (_MNI_CODE, _MNI_CODE) if found.to_template else (2, 2)  # 2: aligned with another scan
    source = replace(
        moving.source, format="NIfTI-1", form_codes=codes, series="",
        frame_of_reference="" if fixed is None else fixed.source.frame_of_reference,
    )  # fmt: skip
    return Volume(out, grid.affine_ras.copy(), source, findings=found.findings)


def facts(found: Registration, moving_name: str) -> dict[str, Any]:
    """The registration as plain values for JSON; scans by the names of their files alone, never their folders."""
    return {
        "moving": moving_name, "fixed": found.fixed_name, "kind": found.kind,
        "matrix_moving_to_fixed_ras": [[float(value) for value in row] for row in found.moving_to_fixed],
        "quality": found.quality.as_dict(), "findings": [finding.as_dict() for finding in found.findings],
    }  # fmt: skip


def itk_transform(found: Registration) -> str:
    """The text of an ITK transform file: LPS millimetres of the fixed scan -> of the moving one, as ITK resamples."""
    matrix = _LPS_TO_RAS @ np.linalg.inv(found.moving_to_fixed) @ _LPS_TO_RAS
    numbers = " ".join(repr(float(value)) for value in (*matrix[:3, :3].ravel(), *matrix[:3, 3]))
    return (
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
        f"Parameters: {numbers}\nFixedParameters: 0 0 0\n"
    )


def save(
    path: Path, volume: Volume, found: Registration, moving_name: str, control: JobControl | None = None
) -> tuple[Path, Path]:
    """Write the resampled scan to `path` and, beside it, the transform as .tfm and the facts as .json.

    Returns the places of the two. Raises IsocenterError where the folder cannot be written.
    """
    stem = stem_of(path)
    transform, told = path.with_name(f"{stem}.tfm"), path.with_name(f"{stem}.json")
    write_volume(path, volume, description=f"Isocenter {found.kind} registration", control=control)
    write_text(transform, itk_transform(found))
    write_text(told, json.dumps({"program": f"Isocenter {__version__}"} | facts(found, moving_name), indent=1) + "\n")
    return transform, told
