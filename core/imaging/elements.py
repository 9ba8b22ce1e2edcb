"""The elements of a DICOM header that are used here, as plain values.

They are taken from the bytes by the type that the standard gives them. The library's own conversion takes longer than
the reading of a slice, and refuses or warns where a damaged value of no use here is met.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement

# Private elements of Siemens that say how the tiles of a mosaic lie.
CSA_IMAGE_HEADER, TILES_IN_MOSAIC = 0x00291010, 0x0019100A

_WHOLE = [
    "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "TemporalPositionIndex",
]  # fmt: skip
_TEXT = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDate", "StudyDate", "Modality",
    "FrameOfReferenceUID", "PhotometricInterpretation", "RescaleType", "Units",
    "NumberOfFrames", "InstanceNumber", "AcquisitionNumber", "AcquisitionTime", "TemporalPositionIdentifier",
    "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime", "DoseUnits",
]  # fmt: skip
_TEXTS = ["ImageType"]
_REAL = [
    "SliceThickness", "SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept", "EchoTime", "TriggerTime",
    "PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife", "DoseGridScaling",
]  # fmt: skip
_REALS = [
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "GridFrameOffsetVector",
]  # fmt: skip
_WHOLES = ["SliceVector", "EnergyWindowVector", "TimeSlotVector", "PhaseVector"]
_BYTES = ["ExtendedOffsetTable", "ExtendedOffsetTableLengths"]
_ITEMS = [
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "FrameContentSequence",
    "PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "PixelValueTransformationSequence",
    "RadiopharmaceuticalInformationSequence", "DetectorInformationSequence",
]  # fmt: skip
_KINDS = {"whole": _WHOLE, "text": _TEXT, "texts": _TEXTS, "real": _REAL, "reals": _REALS, "bytes": _BYTES}
_KINDS |= {"items": _ITEMS, "wholes": _WHOLES, "words": ["SeriesDescription"]}
_ELEMENTS: dict[str, tuple[int, str]] = {}
for _kind, _names in _KINDS.items():
    for _name in _names:
        _ELEMENTS[_name] = (tag_for_keyword(_name) or 0, _kind)
_ELEMENTS["CSAImageHeader"] = (CSA_IMAGE_HEADER, "bytes")
_ELEMENTS["TilesInMosaic"] = (TILES_IN_MOSAIC, "whole")
_TEXT_NUMBERS = ("IS", "DS")

TAGS = [tag for tag, _ in _ELEMENTS.values()]
ITEM_TAGS = [tag for tag, kind in _ELEMENTS.values() if kind == "items"]


class Elements:
    """Elements by keyword: a number, text, a list of them, or the items of a sequence; None where there is none."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._known: dict[str, Any] = {}

    def __contains__(self, name: str) -> bool:
        return _ELEMENTS[name][0] in self._dataset

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an element. Raises nearly anything for a damaged one."""
        if name not in self._known:
            tag, kind = _ELEMENTS[name]
            self._known[name] = self._value(tag, kind) if tag in self._dataset else None
        value = self._known[name]
        return default if value is None else value

    def _value(self, tag: int, kind: str) -> Any:
        if kind == "items":
            items = self._dataset[tag].value
            return [Elements(item) for item in items] if items else None
        if kind == "words":  # in whatever letters the file is written
            return str(self._dataset[tag].value)
        raw = self._dataset.get_item(tag)
        if not isinstance(raw, RawDataElement) or not isinstance(raw.value, bytes):
            return None if raw.value in (None, "", b"") else _converted(raw.value, kind)
        data = raw.value
        if kind == "bytes" or not data:
            return data or None
        if kind == "whole" and raw.VR not in _TEXT_NUMBERS:
            return int.from_bytes(data[:4], "little" if raw.is_little_endian else "big")
        if kind == "wholes":  # unsigned numbers of two bytes
            return [int(v) for v in np.frombuffer(data, "<u2" if raw.is_little_endian else ">u2")]
        return _converted(data.decode("latin-1").strip(" \0").split("\\"), kind)


def _converted(value: Any, kind: str) -> Any:
    """Texts, or what the library has converted already, as what is wanted; None where nothing is left."""
    values = [value] if isinstance(value, str | bytes | int | float) else list(value)
    values = [v.strip(" \0") if isinstance(v, str) else v for v in values]
    if not values or values == [""]:
        return None
    if kind == "texts":
        return [str(v) for v in values]
    if kind == "text":
        return "\\".join(str(v) for v in values)
    if kind == "wholes":
        return [int(v) for v in values]
    if kind == "reals":
        return [float(v) for v in values]
    return int(values[0]) if kind == "whole" else float(values[0])
