"""Radiotherapy doses: a grid of planes whose distances stand in one list (DICOM PS3.3, C.8.8.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UnreadableScan
from core.imaging.described import Described

MODALITY = "RTDOSE"
_UNITS = {"GY": "Gy", "RELATIVE": "relative dose"}


def is_dose(header: Any) -> bool:
    return header.get("Modality") == MODALITY


def dose_units(header: Any) -> str:
    return _UNITS.get((header.get("DoseUnits") or "").upper(), "")


def dose_frames(header: Any, where: Path) -> list[Described]:
    """Each plane of the grid. Raises UnreadableScan where the header does not place or scale them."""
    scaling = header.get("DoseGridScaling")
    if scaling is None:
        raise UnreadableScan(
            "the dose grid does not say what its numbers mean (DoseGridScaling)", where=where, mend="Export it again."
        )
    position, orientation = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    if not position or not orientation or len(position) != 3 or len(orientation) != 6:
        raise UnreadableScan(
            "the dose grid does not say where it lies in the patient", where=where, mend="Export it again."
        )
    offsets = np.array(header.get("GridFrameOffsetVector") or [0.0])
    count = int(header.get("NumberOfFrames") or 1)
    if len(offsets) != count or not np.isfinite(offsets).all():
        raise UnreadableScan(
            "the dose grid does not say where each of its planes lies (GridFrameOffsetVector)",
            where=where,
            mend="Export it again.",
        )
    normal = np.cross(orientation[:3], orientation[3:])
    if offsets[0] != 0 and abs(normal[2]) > 0.999:  # the second form: the planes' own places along z
        normal = np.array([0.0, 0.0, 1.0])
    places = np.array(position) + np.outer(offsets - offsets[0], normal)
    measures = {"PixelSpacing": header.get("PixelSpacing"), "SliceThickness": header.get("SliceThickness")}
    factor = {"RescaleSlope": scaling}
    return [Described({"ImagePositionPatient": list(place)}, header, measures, factor) for place in places]
