"""From DICOM headers to frames: where each slice lies, how it is scaled, and in which order it came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from core.errors import UnreadableScan
from core.imaging.stack import Frame


def frames_of(path: Path, header: Any) -> list[Frame]:
    """The frames of a DICOM file: one of a classic image, several of an enhanced one.

    Raises UnreadableScan for colour, for missing geometry and for damaged values.
    """
    try:
        return _frames(path, header)
    except UnreadableScan:
        raise
    except Exception as error:  # damaged values surface as nearly anything when they are used
        raise UnreadableScan(
            f"the DICOM header is damaged ({type(error).__name__})", where=path, mend="Copy or export this file again."
        ) from error


def _frames(path: Path, header: Any) -> list[Frame]:
    if int(header.get("SamplesPerPixel") or 1) != 1 or "MONOCHROME" not in str(
        header.get("PhotometricInterpretation", "MONOCHROME2")
    ):
        raise UnreadableScan("these are colour pictures, not a scan", where=path, mend="Choose a grey-scale series.")
    if "MOSAIC" in list(header.get("ImageType") or []):
        raise UnreadableScan(
            "the slices lie side by side in one image (Siemens mosaic), which is not read yet",
            where=path,
            mend="Convert the series to NIfTI with dcm2niix.",
        )
    if header.get("PerFrameFunctionalGroupsSequence"):
        groups = header.PerFrameFunctionalGroupsSequence
        shared = (header.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
        if len(groups) != int(header.get("NumberOfFrames") or 1):
            raise UnreadableScan(
                "the header describes another number of frames than the file holds",
                where=path,
                mend="Copy or export this file again.",
            )
        return [_frame(path, header, i, *_enhanced(shared, own)) for i, own in enumerate(groups)]
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise UnreadableScan(
            "the file does not say where its frames lie in the patient", where=path, mend="Choose another series."
        )
    order = tuple(
        _real(header, name)
        for name in ("TemporalPositionIdentifier", "AcquisitionNumber", "EchoTime", "TriggerTime", "AcquisitionTime")
    )
    return [_frame(path, header, 0, header, header, header, header, order)]


def _enhanced(shared: Any, own: Any) -> tuple[Any, Any, Any, Any, tuple[float, ...]]:
    """The functional groups of one frame: place, direction, measures, scaling, time order."""

    def group(name: str) -> Any:
        items = own.get(name) or shared.get(name)
        return items[0] if items else pydicom.Dataset()

    content = group("FrameContentSequence")
    order = (_real(content, "TemporalPositionIndex"),)
    place, direction = group("PlanePositionSequence"), group("PlaneOrientationSequence")
    return place, direction, group("PixelMeasuresSequence"), group("PixelValueTransformationSequence"), order


def _frame(
    path: Path,
    header: Any,
    index: int,
    place: Any,
    direction: Any,
    measures: Any,
    scaling: Any,
    order: tuple[float, ...],
) -> Frame:
    position, orientation = place.get("ImagePositionPatient"), direction.get("ImageOrientationPatient")
    spacing = measures.get("PixelSpacing")
    if not position or not orientation or not spacing or (len(position), len(orientation), len(spacing)) != (3, 6, 2):
        raise UnreadableScan(
            "the file does not say where its image lies in the patient", where=path, mend="Choose another series."
        )
    slope, intercept = scaling.get("RescaleSlope"), scaling.get("RescaleIntercept")
    slope, intercept = float(1 if slope is None else slope), float(intercept or 0)
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise UnreadableScan(
            f"the header scales its values by {slope:g} and {intercept:g}", where=path, mend="Export this file again."
        )
    bits = int(header.BitsAllocated)
    thickness = _real(measures, "SpacingBetweenSlices") or _real(measures, "SliceThickness") or 1.0
    return Frame(
        path=path,
        index=index,
        instance=f"{header.get('SOPInstanceUID', path)}/{index}",
        position=(float(position[0]), float(position[1]), float(position[2])),
        orientation=tuple(float(v) for v in orientation),
        pixel_spacing=(float(spacing[0]), float(spacing[1])),
        slice_spacing=abs(thickness),
        rows=int(header.Rows),
        columns=int(header.Columns),
        dtype=("i" if int(header.get("PixelRepresentation") or 0) else "u") + str(max(bits // 8, 1)),
        slope=slope,
        intercept=intercept,
        reference=str(header.get("FrameOfReferenceUID", "")),
        order=(*order, _real(header, "InstanceNumber")),
    )


def _real(dataset: Any, name: str) -> float:
    """A number for sorting or a length; 0 where it is missing or damaged."""
    try:
        value = float(dataset.get(name) or 0)
    except (TypeError, ValueError):
        return 0.0
    return value if np.isfinite(value) else 0.0
