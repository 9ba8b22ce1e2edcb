"""Which values are drawn black and which white: chosen from the picture, or a preset of the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]
SAMPLE_PER_AXIS = 64


@dataclass(frozen=True)
class WindowLevel:
    """Values from level - width/2 (black) to level + width/2 (white)."""

    width: float
    level: float

    @classmethod
    def between(cls, low: float, high: float) -> WindowLevel:
        return cls(max(high - low, 1e-6), (low + high) / 2)

    @property
    def low(self) -> float:
        return self.level - self.width / 2

    @property
    def high(self) -> float:
        return self.level + self.width / 2

    def text(self) -> str:
        digits = 0 if self.width >= 20 else 2 if self.width >= 0.2 else 4
        return f"W {self.width:.{digits}f}  L {self.level:.{digits}f}"


# Widths and levels in Hounsfield units, as radiology departments commonly set them.
CT_PRESETS = {
    "Brain": WindowLevel(80, 40),
    "Subdural": WindowLevel(200, 75),
    "Stroke": WindowLevel(40, 40),
    "Soft tissue": WindowLevel(400, 40),
    "Lung": WindowLevel(1500, -600),
    "Bone": WindowLevel(2000, 500),
}


def sample(volume: Volume, time: int = 0) -> Array:
    """About 64 x 64 x 64 scaled values on a regular grid: enough to choose a window, without reading every page."""
    voxels = volume.voxels[..., time] if volume.voxels.ndim == 4 else volume.voxels
    steps = tuple(slice(n // SAMPLE_PER_AXIS // 2, None, max(1, n // SAMPLE_PER_AXIS)) for n in voxels.shape)
    values = voxels[steps].astype(np.float32)
    values *= np.float32(volume.slope)
    values += np.float32(volume.intercept)
    return values


def auto_window(values: Array) -> WindowLevel:
    """From the darkest to the brightest half per cent, leaving out a background that fills much of the picture."""
    flat = values[np.isfinite(values)]
    if flat.size == 0:
        return WindowLevel(1, 0.5)
    lowest = float(flat.min())
    body = flat[flat > lowest]
    if body.size < 0.02 * flat.size:  # nearly empty, such as a label map
        return WindowLevel.between(lowest, float(flat.max()))
    low, high = np.percentile(body, (0.5, 99.5))
    if body.size < 0.7 * flat.size:  # background of one value: let it be black
        low = min(low, lowest + 0.02 * (high - lowest))
    return (
        WindowLevel.between(float(low), float(high)) if high > low else WindowLevel.between(lowest, float(flat.max()))
    )


def full_window(values: Array) -> WindowLevel:
    flat = values[np.isfinite(values)]
    return WindowLevel.between(float(flat.min()), float(flat.max())) if flat.size else WindowLevel(1, 0.5)


def first_window(values: Array, *, is_ct: bool) -> WindowLevel:
    """The window a scan opens with."""
    if is_ct:
        return CT_PRESETS["Soft tissue"]
    return auto_window(values)


def looks_like_ct(volume: Volume, values: Array) -> bool:
    """Whether the values are Hounsfield units: the file says CT, or says nothing and air and bone lie where they do."""
    if volume.source.modality:
        return volume.source.modality == "CT"
    flat = values[np.isfinite(values)]
    if flat.size == 0:
        return False
    low, high = np.percentile(flat, (1, 99.9))
    return bool(-3100 < low < -500 and 200 < high < 5000)


def to_grey(picture: Array, window: WindowLevel, slope: float, intercept: float) -> Array:
    """Stored voxels of a slice -> contiguous uint8 grey, NaN as black."""
    scale = 255.0 / window.width
    grey = picture.astype(np.float32, order="C")
    grey *= np.float32(slope * scale)
    grey += np.float32((intercept - window.low) * scale)
    if picture.dtype.kind == "f":
        np.nan_to_num(grey, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    np.clip(grey, 0, 255, out=grey)
    return grey.astype(np.uint8)
