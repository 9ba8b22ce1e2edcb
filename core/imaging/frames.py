"""From DICOM headers to frames: where each slice lies, how it is scaled, and in which order it came."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from core.errors import UnreadableScan
from core.imaging.dicomfile import DicomFile
from core.imaging.elements import Elements
from core.imaging.mosaic import is_mosaic, slice_normal, tile_count, tile_grid
from core.imaging.pixels import Pixels, pixels_of
from core.imaging.stack import Frame

_NOTHING = Elements({})


def frames_of(file: DicomFile) -> list[Frame]:
    """The frames of a DICOM file: one of a classic image, several of an enhanced one or of a mosaic.

    Raises UnreadableScan for colour, for missing geometry and for damaged values.
    """
    path = file.path
    try:
        return _frames(file, file.header)
    except UnreadableScan:
        raise
    except Exception as error:  # damaged values surface as nearly anything when they are used
        raise UnreadableScan(
            f"the DICOM header is damaged ({type(error).__name__})", where=path, mend="Copy or export this file again."
        ) from error


def _frames(file: DicomFile, header: Any) -> list[Frame]:
    path = file.path
    pixels = pixels_of(file)
    if header.get("PerFrameFunctionalGroupsSequence"):
        groups = header.get("PerFrameFunctionalGroupsSequence")
        shared = (header.get("SharedFunctionalGroupsSequence") or [_NOTHING])[0]
        if len(groups) != int(header.get("NumberOfFrames") or 1):
            raise UnreadableScan(
                "the header describes another number of frames than the file holds",
                where=path,
                mend="Copy or export this file again.",
            )
        return [_frame(pixels, header, i, *_enhanced(shared, own)) for i, own in enumerate(groups)]
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise UnreadableScan(
            "the file does not say where its frames lie in the patient", where=path, mend="Choose another series."
        )
    order = tuple(
        _real(header, name)
        for name in ("TemporalPositionIdentifier", "AcquisitionNumber", "EchoTime", "TriggerTime", "AcquisitionTime")
    )
    frame = _frame(pixels, header, 0, header, header, header, header, order)
    return _tiles(frame, header) if is_mosaic(header) else [frame]


def _tiles(mosaic: Frame, header: Any) -> list[Frame]:
    """The slices that lie side by side in one picture."""
    height, width, corners = tile_grid(tile_count(header), mosaic.rows, mosaic.columns)
    orientation = np.array(mosaic.orientation)
    row, column = orientation[:3], orientation[3:]
    between_rows, between_columns = mosaic.pixel_spacing
    # The declared place is that of a plane as large as the whole picture, with the same centre.
    first = np.array(mosaic.position) + row * between_columns * (mosaic.columns - width) / 2
    first += column * between_rows * (mosaic.rows - height) / 2
    step = slice_normal(header, orientation) * mosaic.slice_spacing
    tiles = []
    for k, corner in enumerate(corners):
        x, y, z = first + k * step
        tiles.append(
            replace(
                mosaic,
                position=(x, y, z),
                corner=corner,
                rows=height,
                columns=width,
                instance=f"{mosaic.instance}/{k}",
            )
        )
    return tiles


def _enhanced(shared: Any, own: Any) -> tuple[Any, Any, Any, Any, tuple[float, ...]]:
    """The functional groups of one frame: place, direction, measures, scaling, time order."""

    def group(name: str) -> Any:
        items = own.get(name) or shared.get(name)
        return items[0] if items else _NOTHING

    content = group("FrameContentSequence")
    order = (_real(content, "TemporalPositionIndex"),)
    place, direction = group("PlanePositionSequence"), group("PlaneOrientationSequence")
    return place, direction, group("PixelMeasuresSequence"), group("PixelValueTransformationSequence"), order


def _frame(
    pixels: Pixels,
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
            "the file does not say where its image lies in the patient",
            where=pixels.path,
            mend="Choose another series.",
        )
    slope, intercept = scaling.get("RescaleSlope"), scaling.get("RescaleIntercept")
    slope, intercept = float(1 if slope is None else slope), float(intercept or 0)
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise UnreadableScan(
            f"the header scales its values by {slope:g} and {intercept:g}",
            where=pixels.path,
            mend="Export this file again.",
        )
    thickness = _real(measures, "SpacingBetweenSlices") or _real(measures, "SliceThickness") or 1.0
    return Frame(
        pixels=pixels,
        index=index,
        instance=f"{header.get('SOPInstanceUID') or pixels.path}/{index}",
        position=(float(position[0]), float(position[1]), float(position[2])),
        orientation=tuple(float(v) for v in orientation),
        pixel_spacing=(float(spacing[0]), float(spacing[1])),
        slice_spacing=abs(thickness),
        rows=pixels.rows,
        columns=pixels.columns,
        slope=slope,
        intercept=intercept,
        reference=header.get("FrameOfReferenceUID") or "",
        order=(*order, _real(header, "InstanceNumber")),
    )


def _real(dataset: Any, name: str) -> float:
    """A number for sorting or a length; 0 where it is missing or damaged."""
    try:
        value = float(dataset.get(name) or 0)
    except (TypeError, ValueError):
        return 0.0
    return value if np.isfinite(value) else 0.0
