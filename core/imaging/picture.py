"""Pictures without a place in the patient: X-ray, mammography, ultrasound, screenshots.

They are read as one slice (a film of them as its time points), and it is said that neither sides nor, mostly, lengths
are known.
"""

from __future__ import annotations

from typing import Any

from core.imaging.described import Described
from core.imaging.volume import NO_PLACE, Finding

# Slices of a body: without a place these are damaged, and no pictures.
_CLASS = "1.2.840.10008.5.1.4.1.1."
_SLICES = {_CLASS + end for end in ("2", "2.1", "2.2", "4", "4.1", "4.4", "20.1", "128", "128.1", "130")}
# The axes of the screen: a picture is shown as it is stored.
_UPRIGHT = {"ImagePositionPatient": [0.0, 0.0, 0.0], "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]}
_NO_SCALING = {"RescaleSlope": 1.0}


def is_picture(header: Any) -> bool:
    """Whether an image has no place in the patient, and is of a kind that need not have one."""
    if header.get("ImagePositionPatient") or header.get("ImageOrientationPatient"):
        return False
    return "PerFrameFunctionalGroupsSequence" not in header and header.get("SOPClassUID") not in _SLICES


def picture_frames(header: Any) -> list[Described]:
    measures = {"PixelSpacing": _pixel_spacing(header)[0]}
    scaling = header if header.get("RescaleSlope") is not None else _NO_SCALING
    count = int(header.get("NumberOfFrames") or 1)
    return [Described(_UPRIGHT, _UPRIGHT, measures, scaling, placed=False)] * count


def picture_findings(header: Any) -> list[Finding]:
    """What is not known of a picture."""
    if not is_picture(header):
        return []
    message = "This is a picture without a place in the patient: its sides are not known, and no letters show them."
    return [Finding(NO_PLACE, "warning", message), _pixel_spacing(header)[1]]


def _pixel_spacing(header: Any) -> tuple[list[float], Finding]:
    """The size of a pixel (between rows, between columns), and how far it can be trusted."""
    own, detector = (_pair(header, name) for name in ("PixelSpacing", "ImagerPixelSpacing"))
    if own and own != detector:
        return own, Finding("picture_scale", "info", "The file gives the size of a pixel; it holds in one plane only.")
    if detector or own:
        message = (
            "Millimetres are those on the detector (ImagerPixelSpacing); what lies before it is smaller than measured."
        )
        return detector or own or [], Finding("detector_scale", "warning", message)
    message = "The file does not say how large a pixel is; 1 mm was assumed, so lengths mean nothing."
    return [1.0, 1.0], Finding("no_spacing", "warning", message)


def _pair(header: Any, name: str) -> list[float] | None:
    values = header.get(name)
    return values if values and len(values) == 2 and min(values) > 0 else None
