"""Where a NIfTI scan lies in space: the one rule of the whole program.

1. The sform, if its code is above 0.
2. Else the qform, if its code is above 0.
3. Else only the voxel sizes are known: the grid is centred on the origin with x running to the left, as nibabel
   and SPM take it, and a warning says that left and right are a guess.

This is nibabel's rule. ITK takes the qform in some cases, so a disagreement of the two is always told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UnreadableScan
from core.imaging.geometry import corners_ras_mm
from core.imaging.payload import broken
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

# Voxel sizes outside of this are no scan of a person or an animal.
_SMALLEST_MM, _LARGEST_MM = 1e-5, 1e3
_FARTHEST_MM = 1e6
# Axes further from a right angle than this (cosine) are sheared; rounding in headers stays far below.
_SHEAR_COSINE = 1e-3
# DICOM, NRRD and MetaImage measure to the left and to the back.
LPS = np.array([-1.0, -1.0, 1.0])
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_UNIT_NAMES = {1: "metres", 3: "micrometres"}


@dataclass(frozen=True)
class Placement:
    """The transform taken from a header. `codes` are the qform and sform codes that stand behind it."""

    affine_ras: Array
    codes: tuple[int, int]
    findings: tuple[Finding, ...]


@np.errstate(all="ignore")  # overflow in a damaged header is found by the checks of the result
def place(header: Any, grid_shape: tuple[int, int, int], where: Path) -> Placement:
    """Apply the rule to a parsed NIfTI header. Raises UnreadableScan where the transform is damaged."""
    findings: list[Finding] = []
    sizes = np.array(header["pixdim"][1:4], float)
    sizes[(sizes == 0) & (np.array(grid_shape) == 1)] = 1.0  # a single slice often has no thickness
    if not (np.isfinite(sizes).all() and (sizes != 0).all()):
        raise broken(f"the voxel size in the header is {_numbers(sizes)} mm", where)
    sform_code, qform_code = int(header["sform_code"]), int(header["qform_code"])
    sform = _sform(header, where) if sform_code > 0 else None
    qform = None
    if qform_code > 0:
        try:
            qform = _qform(header, np.abs(sizes), where)
        except UnreadableScan:
            if sform is None:
                raise
            findings.append(Finding("qform_damaged", "warning", "The header's qform is damaged; its sform was used."))
    if sform is not None:
        affine = sform
        codes = (qform_code if qform is not None else 0, sform_code)
        if qform is not None:
            gap = np.abs(corners_ras_mm(sform, grid_shape) - corners_ras_mm(qform, grid_shape)).max()
            if gap > 0.5 * np.abs(sizes).min():
                codes = (0, sform_code)
                findings.append(
                    Finding(
                        "forms_disagree",
                        "warning",
                        f"The header's sform and qform place the scan up to {gap:.1f} mm apart; the sform was used.",
                    )
                )
    elif qform is not None:
        affine, codes = qform, (qform_code, 0)
    else:
        affine, codes = _centred(np.abs(sizes), grid_shape), (0, 0)
        findings.append(
            Finding(
                "no_orientation",
                "warning",
                "The header does not say how the scan lies in the patient: left and right are a guess.",
            )
        )
    affine, unit_findings = in_mm(affine, int(header["xyzt_units"]) & 7)
    findings += unit_findings
    check_affine(affine, where)
    findings += shear_findings(affine)
    return Placement(affine, codes, tuple(findings))


def check_affine(affine_ras: Array, where: Path) -> None:
    """Raise UnreadableScan for a transform that is not finite, not invertible, or of absurd voxel sizes."""
    if not np.isfinite(affine_ras).all() or np.abs(affine_ras).max() > _FARTHEST_MM:
        raise broken("the transform to patient space holds values that are no numbers or no places", where)
    sizes = np.linalg.norm(affine_ras[:3, :3], axis=0)
    if not (sizes > 0).all():
        raise broken("the transform to patient space is singular (an axis has no length)", where)
    if sizes.min() < _SMALLEST_MM or sizes.max() > _LARGEST_MM:
        raise broken(f"the voxel size is {_numbers(sizes)} mm, which no scanner makes", where)
    if abs(np.linalg.det(affine_ras[:3, :3] / sizes)) < 1e-3:
        raise broken("the transform to patient space is singular (two axes run the same way)", where)


def ras_from(signs: Array, directions: Array, origin: Array) -> Array:
    """The affine in RAS from axis directions (3, 3; a column for each) and an origin in another space.

    signs: (3,) of that space's axes in RAS: -1, -1, 1 for LPS. Makes no check: directions may hold anything.
    """
    affine = np.eye(4)
    affine[:3, :3] = directions * signs[:, None]
    affine[:3, 3] = origin * signs
    return affine + 0.0  # no zero is a negative one


def is_sheared(affine_ras: Array) -> bool:
    """Whether the voxel axes are not at right angles."""
    axes = affine_ras[:3, :3] / np.linalg.norm(affine_ras[:3, :3], axis=0)
    cosines = axes.T @ axes - np.eye(3)
    return bool(np.abs(cosines).max() > _SHEAR_COSINE)


def shear_findings(affine_ras: Array) -> list[Finding]:
    if not is_sheared(affine_ras):
        return []
    message = "The voxel axes are not at right angles (sheared); shapes may look skewed and predictions be less exact."
    return [Finding("sheared", "warning", message)]


def _sform(header: Any, where: Path) -> Array:
    affine = np.eye(4)
    affine[:3] = header["srow"]
    # Checked here as well: a damaged sform must not be compared with the qform.
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) == 0:
        raise broken("the header's sform is singular or holds values that are no numbers", where)
    return affine


def _qform(header: Any, sizes: Array, where: Path) -> Array:
    b, c, d = (float(value) for value in header["quatern"])
    offset = np.array(header["qoffset"], float)
    rest = 1.0 - (b * b + c * c + d * d)
    if not (np.isfinite([b, c, d]).all() and np.isfinite(offset).all()) or rest < -1e-5:
        raise broken("the header's qform is damaged", where)
    a = np.sqrt(max(rest, 0.0))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    qfac = -1.0 if float(header["pixdim"][0]) < 0 else 1.0  # the third axis may run the other way
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes * (1.0, 1.0, qfac)
    affine[:3, 3] = offset
    return affine


def _centred(sizes: Array, shape: tuple[int, int, int]) -> Array:
    affine = np.diag([-sizes[0], sizes[1], sizes[2], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def in_mm(affine: Array, unit: int) -> tuple[Array, list[Finding]]:
    """An affine in millimetres from one in the unit of NIfTI's code: 1 metres, 2 millimetres, 3 micrometres."""
    factor = _MM_PER_UNIT.get(unit, 1.0)
    if factor == 1.0:
        return affine, []
    scaled = affine.copy()
    scaled[:3] *= factor
    sizes = np.linalg.norm(scaled[:3, :3], axis=0)
    if sizes.max() > 100 or sizes.min() < 1e-4:
        message = (
            f"The header gives its lengths in {_UNIT_NAMES[unit]}, which cannot be; they were read as millimetres."
        )
        return affine, [Finding("units_wrong", "warning", message)]
    message = f"The header gives its lengths in {_UNIT_NAMES[unit]}; they were turned into millimetres."
    return scaled, [Finding("units", "info", message)]


def _numbers(values: Array) -> str:
    return " x ".join(f"{v:g}" for v in values)
