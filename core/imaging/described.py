"""How a DICOM header describes one frame, whatever kind of image it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Described:
    """Where to look for a frame's geometry and scaling; each part is asked for elements by keyword, as a header is.

    place: ImagePositionPatient. direction: ImageOrientationPatient. measures: PixelSpacing and the slices' distance.
    scaling: RescaleSlope and RescaleIntercept. order: time order among frames at one place.
    placed: whether the frame's place in the patient is known.
    """

    place: Any
    direction: Any
    measures: Any
    scaling: Any
    order: tuple[float, ...] = ()
    placed: bool = True


def real(dataset: Any, name: str) -> float:
    """A number for sorting or a length; 0 where it is missing or damaged."""
    try:
        value = float(dataset.get(name) or 0)
    except (TypeError, ValueError):
        return 0.0
    return value if np.isfinite(value) else 0.0
