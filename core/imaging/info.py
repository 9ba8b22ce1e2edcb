"""What a scan is and what was found in it, for `isocenter info` and for the Scans page."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core.imaging.checks import slabs, voxel_findings
from core.imaging.volume import Finding, Volume


def describe(volume: Volume) -> dict[str, Any]:
    """The facts about a scan as plain values for JSON; reads all voxels once for their range.

    Only geometry, type and findings: no free text from the file, which may name the patient.
    """
    return {
        "path": str(volume.source.path),
        "format": volume.source.format,
        "shape": list(volume.shape),
        "dtype": volume.voxels.dtype.name,
        "spacing_mm": [round(s, 6) for s in volume.spacing_mm],
        "affine_ras": [[float(value) for value in row] for row in volume.affine_ras],
        "orientation": volume.orientation,
        "intensity_range": intensity_range(volume),
        "slope": volume.slope,
        "intercept": volume.intercept,
        "units": volume.source.units,
        "modality": volume.source.modality,
        "series": volume.source.series,
        "findings": [finding.as_dict() for finding in plain_checks(volume)],
    }


def intensity_range(volume: Volume) -> list[float] | None:
    """The lowest and highest scaled value among the finite ones; None where there are none."""
    low, high = math.inf, -math.inf
    for slab in slabs(volume.voxels):
        values = slab[np.isfinite(slab)] if slab.dtype.kind == "f" else slab
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low > high:
        return None
    ends = sorted(value * volume.slope + volume.intercept for value in (low, high))
    return ends if all(map(math.isfinite, ends)) else None


def plain_checks(volume: Volume) -> list[Finding]:
    """All that a person should know about a scan: what was found on reading, and what is well.

    Reads a floating-point scan whole, to look for values that are no numbers.
    """
    known = {finding.code for finding in volume.findings}
    findings = list(volume.findings)
    findings += [finding for finding in voxel_findings(volume.voxels) if finding.code not in known]
    codes = {finding.code for finding in findings}
    good = [_orientation(volume, codes), _spacing(volume, codes)]
    if "non_finite" not in codes:
        good.append(Finding("finite", "info", "Every voxel holds a number."))
    return findings + [finding for finding in good if finding]


def _orientation(volume: Volume, codes: set[str]) -> Finding | None:
    if not volume.is_placed:
        return None
    qform, sform = volume.source.form_codes
    if codes & {"forms_disagree", "qform_damaged", "no_orientation"}:
        return None
    if qform and sform:
        return Finding("forms_agree", "info", "The header's sform and qform agree.")
    if qform or sform:
        return Finding("form", "info", f"The scan is placed by the header's {'sform' if sform else 'qform'}.")
    return Finding("placed", "info", "Every slice says where it lies in the patient.")


def _spacing(volume: Volume, codes: set[str]) -> Finding | None:
    low, high = min(volume.spacing_mm), max(volume.spacing_mm)
    sizes = " × ".join(f"{size:.3g}" for size in volume.spacing_mm)
    even = high / low < 1.01
    if not volume.is_placed:
        return None
    text = f"Voxels are {low:.3g} mm along every side" if even else f"Voxels are {sizes} mm"
    uneven = {"missing_slices", "uneven_slices", "uneven_slightly", "single_slice"}
    if volume.source.format == "DICOM" and not codes & uneven:
        text += ", with no slice missing"
    return Finding("spacing", "info", f"{text}.")
