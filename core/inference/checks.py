"""Whether a model can take a scan, and what a person should know about the scan before trusting the answer."""

from __future__ import annotations

import numpy as np

from core.data.plan import Plan
from core.errors import UnsuitableScan
from core.imaging.channels import channels_of, said
from core.imaging.checks import voxel_findings
from core.imaging.geometry import to_canonical
from core.imaging.info import intensity_range
from core.imaging.volume import Finding, Volume

MIN_SIDE_VOXELS = 8
OBLIQUE_DEG = 10.0
LARGER = 1.25  # times the largest training extent
CROP_MM = 90.0  # a field of view below this in every direction is a crop, for models trained on crops


def extent_mm(volume: Volume) -> tuple[float, float, float]:
    """The field of view nearest to right-left, front-back and head-foot, in mm."""
    order = to_canonical(volume.affine_ras).order
    sides = [n * s for n, s in zip(volume.grid_shape, volume.spacing_mm, strict=True)]
    return sides[order[0]], sides[order[1]], sides[order[2]]


def refuse_unusable(volume: Volume, plan: Plan) -> None:
    """Raise UnsuitableScan for a scan from which no meaningful answer can come."""
    where = volume.source.path
    if not volume.is_placed:
        raise UnsuitableScan(
            "this is a picture without a place in the patient, so neither its sides nor its lengths are known",
            where=where, mend="Give a scan: a volume of slices that say where they lie.",
        )  # fmt: skip
    if volume.voxels.dtype.kind not in "buif":
        raise UnsuitableScan(
            "the voxels are colours or complex numbers; the model takes one plain value per voxel", where=where,
            mend="Give the scan itself, not a colour map or a rendering of it.",
        )  # fmt: skip
    held = channels_of(volume)
    if plan.channels == 1 and held > 1:
        raise UnsuitableScan(
            f"the scan holds {held} volumes (time points or channels); the model takes one", where=where,
            mend="Choose one of them: with the time slider, or with --time N.",
        )  # fmt: skip
    if held != plan.channels:
        names = plan.named_channels
        raise UnsuitableScan(
            f"the model takes {said(names)} of a subject, and this holds {held}", where=where,
            mend=f"Give one file of each, in this order: {', '.join(names)}; or all in one 4D file.",
        )  # fmt: skip
    thin = plan.flat is not None or (plan.shape_range is not None and min(plan.shape_range[0]) < MIN_SIDE_VOXELS)
    sides = sorted(volume.grid_shape)[1 if thin else 0 :]  # such a model was made for slices
    if sides[0] < MIN_SIDE_VOXELS:
        size = " x ".join(map(str, volume.grid_shape))
        raise UnsuitableScan(
            f"too small: {size} voxels, the model needs at least {MIN_SIDE_VOXELS} a side", where=where,
            mend="Give the whole volume, not a single slice.",
        )  # fmt: skip
    low, _ = _training_extent_mm(plan)
    if low is not None and any(side < 0.5 * least for side, least in zip(extent_mm(volume), low, strict=True)):
        raise UnsuitableScan(
            f"too small: it covers {_mm(extent_mm(volume))}, the model was trained on at least {_mm(low)}", where=where,
            mend="Give a scan that covers the whole region.",
        )  # fmt: skip
    intensities = intensity_range(volume)
    if intensities is None or intensities[0] == intensities[1]:
        raise UnsuitableScan("every voxel has the same value or none, so there is nothing to see in it", where=where)


def findings(volume: Volume, plan: Plan) -> list[Finding]:
    """What the reader found, then how the scan differs from what the model was trained on."""
    found = list(volume.findings)

    def warn(code: str, message: str) -> None:
        if code not in {finding.code for finding in found}:
            found.append(Finding(code, "warning", message))

    spacing = volume.spacing_mm
    ratios = [max(a / b, b / a) for a, b in zip(sorted(spacing), sorted(plan.spacing_mm), strict=True)]
    if max(ratios) > 1.5:
        here, there = _mm(spacing, 2), _mm(plan.spacing_mm, 2)
        warn("spacing_unlike_training", f"The voxels are {here}; the model was trained at {there}.")
    low, _ = _training_extent_mm(plan)
    if low is not None and any(side < 0.9 * least for side, least in zip(extent_mm(volume), low, strict=True)):
        warn(
            "smaller_than_training",
            f"The scan covers {_mm(extent_mm(volume))}, less than any of the training; structures may be cut off.",
        )
    tilt = oblique_deg(volume)
    if tilt > OBLIQUE_DEG:
        warn("oblique", f"The scan is tilted {tilt:.0f} degrees from the patient's axes; the training scans were not.")
    modality = volume.source.modality
    if plan.modality and modality and modality != plan.modality:
        warn("modality_unlike_training", f"This is a {modality} scan; the model was trained on {plan.modality}.")
    for finding in voxel_findings(volume.voxels):
        warn(finding.code, finding.message)
    return found


def larger_than_training(volume: Volume, plan: Plan) -> list[Finding]:
    """A warning where the field of view goes well beyond that of the training scans."""
    _, high = _training_extent_mm(plan)
    if high is None or all(side <= LARGER * most for side, most in zip(extent_mm(volume), high, strict=True)):
        return []
    covers = f"The scan covers {_mm(extent_mm(volume))}, the training scans at most {_mm(high)}"
    return [Finding("larger_than_training", "warning", f"{covers}: what lies beyond is new to the model.")]


def oblique_deg(volume: Volume) -> float:
    """The largest angle between a voxel axis and the patient axis nearest to it, in degrees."""
    directions = volume.affine_ras[:3, :3] / np.array(volume.spacing_mm)
    return float(np.degrees(np.arccos(np.clip(np.abs(directions).max(axis=0), 0, 1))).max())


def crop_limit_mm(plan: Plan) -> float:
    """Up to this extent in every direction a scan is like the crops that the model was trained on."""
    _, high = _training_extent_mm(plan)
    return max(CROP_MM, 1.5 * max(high)) if high is not None else CROP_MM


def _training_extent_mm(plan: Plan) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    if plan.shape_range is None:
        return None, None
    low, high = (tuple(n * s for n, s in zip(shape, plan.spacing_mm, strict=True)) for shape in plan.shape_range)
    return low, high


def _mm(sides: tuple[float, ...], digits: int = 0) -> str:
    return " x ".join(f"{side:.{digits}f}" for side in sides) + " mm"
