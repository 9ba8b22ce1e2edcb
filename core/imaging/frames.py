"""From DICOM headers to frames: where each slice lies, how it is scaled, and in which order it came."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UnreadableScan
from core.imaging.described import Described, real
from core.imaging.dicomfile import DicomFile
from core.imaging.elements import Elements
from core.imaging.mosaic import is_mosaic, slice_normal, tile_count, tile_grid
from core.imaging.nuclear import is_nuclear_stack, nuclear_frames
from core.imaging.picture import is_picture, picture_frames
from core.imaging.pixels import MOST_FRAMES, Pixels, pixels_of
from core.imaging.rtdose import dose_frames, is_dose
from core.imaging.stack import Frame

_NOTHING = Elements({})
_ORDER = ("TemporalPositionIdentifier", "AcquisitionNumber", "EchoTime", "TriggerTime", "AcquisitionTime")


@dataclass(frozen=True)
class Geometry:
    """What all images of one grid share; in pixels, mm and directions of DICOM's LPS space."""

    rows: int
    columns: int
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, float]
    placed: bool  # whether it says where it lies in the patient


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
        raise _damaged(error, path) from error


def geometries_of(file: DicomFile) -> list[Geometry]:
    """What each frame of a file needs of a grid. Raises UnreadableScan where the header is damaged or lacks it."""
    try:
        header = file.header
        rows, columns = int(header.get("Rows")), int(header.get("Columns"))
        return [_geometry(rows, columns, one, file.path) for one in _described(header, file.path)]
    except UnreadableScan:
        raise
    except Exception as error:  # damaged values surface as nearly anything when they are used
        raise _damaged(error, file.path) from None


def _geometry(rows: int, columns: int, described: Described, where: Path) -> Geometry:
    orientation, spacing = _orientation(described, where), _pixel_spacing(described, where)
    if not (np.isfinite(orientation).all() and np.isfinite(spacing).all() and min(spacing) > 0):
        raise _not_placed(where)
    return Geometry(rows, columns, orientation, spacing, described.placed)


def _frames(file: DicomFile, header: Any) -> list[Frame]:
    pixels = pixels_of(file)
    frames = [_frame(pixels, header, index, one) for index, one in enumerate(_described(header, file.path))]
    return _tiles(frames[0], header) if is_mosaic(header) and len(frames) == 1 else frames


def _described(header: Any, where: Path) -> list[Described]:
    """How each frame is described, in the way of the kind of image that this is."""
    count = int(header.get("NumberOfFrames") or 1)
    if not 0 < count <= MOST_FRAMES:
        raise UnreadableScan(f"the header declares {count} images", where=where, mend="Export this file again.")
    if header.get("PerFrameFunctionalGroupsSequence"):
        groups = header.get("PerFrameFunctionalGroupsSequence")
        shared = (header.get("SharedFunctionalGroupsSequence") or [_NOTHING])[0]
        found = [_enhanced(shared, own) for own in groups]
    elif is_dose(header):
        found = dose_frames(header, where)
    elif is_nuclear_stack(header):
        found = nuclear_frames(header, where)
    elif is_picture(header):
        found = picture_frames(header)
    elif count > 1:
        raise UnreadableScan(
            "the file does not say where its frames lie in the patient", where=where, mend="Choose another series."
        )
    else:
        order = tuple(real(header, name) for name in _ORDER)
        found = [Described(header, header, header, header, order)]
    if len(found) != count:
        raise UnreadableScan(
            "the header describes another number of frames than the file holds",
            where=where,
            mend="Copy or export this file again.",
        )
    return found


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


def _enhanced(shared: Any, own: Any) -> Described:
    """The functional groups of one frame."""

    def group(name: str) -> Any:
        items = own.get(name) or shared.get(name)
        return items[0] if items else _NOTHING

    order = (real(group("FrameContentSequence"), "TemporalPositionIndex"),)
    place, direction = group("PlanePositionSequence"), group("PlaneOrientationSequence")
    return Described(place, direction, group("PixelMeasuresSequence"), group("PixelValueTransformationSequence"), order)


def _orientation(described: Described, where: Path) -> tuple[float, ...]:
    orientation = described.direction.get("ImageOrientationPatient")
    if not orientation or len(orientation) != 6:
        raise _not_placed(where)
    return tuple(float(v) for v in orientation)


def _pixel_spacing(described: Described, where: Path) -> tuple[float, float]:
    spacing = described.measures.get("PixelSpacing")
    if not spacing or len(spacing) != 2:
        raise _not_placed(where)
    return float(spacing[0]), float(spacing[1])


def _frame(pixels: Pixels, header: Any, index: int, described: Described) -> Frame:
    where = pixels.path
    position = described.place.get("ImagePositionPatient")
    if not position or len(position) != 3:
        raise _not_placed(where)
    scaling, measures = described.scaling, described.measures
    slope, intercept = scaling.get("RescaleSlope"), scaling.get("RescaleIntercept")
    slope, intercept = float(1 if slope is None else slope), float(intercept or 0)
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise UnreadableScan(
            f"the header scales its values by {slope:g} and {intercept:g}",
            where=where,
            mend="Export this file again.",
        )
    thickness = real(measures, "SpacingBetweenSlices") or real(measures, "SliceThickness") or 1.0
    return Frame(
        pixels=pixels,
        index=index,
        instance=f"{header.get('SOPInstanceUID') or where}/{index}",
        position=(float(position[0]), float(position[1]), float(position[2])),
        orientation=_orientation(described, where),
        pixel_spacing=_pixel_spacing(described, where),
        slice_spacing=abs(thickness),
        rows=pixels.rows,
        columns=pixels.columns,
        slope=slope,
        intercept=intercept,
        reference=header.get("FrameOfReferenceUID") or "",
        order=(*described.order, real(header, "InstanceNumber")),
    )


def _not_placed(where: Path) -> UnreadableScan:
    return UnreadableScan(
        "the file does not say where its image lies in the patient", where=where, mend="Choose another series."
    )


def _damaged(error: Exception, where: Path) -> UnreadableScan:
    return UnreadableScan(
        f"the DICOM header is damaged ({type(error).__name__})", where=where, mend="Copy or export this file again."
    )
