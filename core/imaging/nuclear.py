"""Nuclear medicine volumes: the slices of a reconstruction in one file, placed by its detector (PS3.3, C.8.4.15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UnreadableScan
from core.imaging.described import Described, real

_VOLUMES = ("RECON TOMO", "RECON GATED TOMO")
_ORDER = ("EnergyWindowVector", "TimeSlotVector", "PhaseVector")


def is_nuclear_stack(header: Any) -> bool:
    """Whether a file holds reconstructed slices; projections and whole-body pictures are no volumes."""
    kind = header.get("ImageType") or []
    return header.get("Modality") == "NM" and len(kind) > 2 and kind[2] in _VOLUMES and bool(_detector(header))


def nuclear_frames(header: Any, where: Path) -> list[Described]:
    """Each slice of each time and energy. Raises UnreadableScan where the header does not place them."""
    detector = _detector(header)
    position, orientation = detector.get("ImagePositionPatient"), detector.get("ImageOrientationPatient")
    count = int(header.get("NumberOfFrames") or 1)
    slices = header.get("SliceVector") or list(range(1, count + 1))
    orders = [header.get(name) or [0.0] * count for name in _ORDER]
    # Its sign is that of the direction in which the slices follow each other.
    step = real(header, "SpacingBetweenSlices") or real(header, "SliceThickness")
    if len(slices) != count or not step or not position or not orientation:
        raise UnreadableScan(
            "the file does not say where its slices lie in the patient", where=where, mend="Choose another series."
        )
    normal = np.cross(orientation[:3], orientation[3:])
    return [
        Described(
            {"ImagePositionPatient": list(np.array(position) + normal * step * (slices[i] - 1))},
            detector,
            header,
            header,
            tuple(order[i] if i < len(order) else 0.0 for order in orders),
        )
        for i in range(count)
    ]


def _detector(header: Any) -> Any:
    items = header.get("DetectorInformationSequence")
    detector = items[0] if items else None
    return detector if detector is not None and detector.get("ImageOrientationPatient") else None
