"""From the numbers of a file to plain real ones: byte orders, complex numbers, colours, and what further axes hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UnreadableScan
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

_PIECE = 2**20


def plain_numbers(raw: Array) -> tuple[Array, list[Finding]]:
    """Real numbers in this computer's byte order; complex ones become magnitudes."""
    findings = []
    if raw.dtype.kind == "c":
        raw = np.abs(raw)
        findings.append(Finding("complex", "warning", "The values are complex numbers; they were read as magnitudes."))
    if not raw.dtype.isnative:
        raw = raw.astype(raw.dtype.newbyteorder("="))
    return raw, findings


def brightness(colours: Array) -> tuple[Array, list[Finding]]:
    """(n, 3 or 4) bytes -> (n,) bytes, by the weights of ITU-R BT.601."""
    weights = np.array([299, 587, 114], np.uint32)
    grey = np.empty(len(colours), np.uint8)
    for start in range(0, len(colours), _PIECE):  # the sums take four times the room
        piece = slice(start, start + _PIECE)
        grey[piece] = (colours[piece, :3] @ weights + 500) // 1000
    return grey, [Finding("colour", "warning", "This is a colour image; it was read as its brightness.")]


def is_colour(size: int, dtype: np.dtype[Any]) -> bool:
    """Whether voxels of so many channels are red, green, blue (and opacity)."""
    return size in (3, 4) and dtype == np.uint8


def time_series(count: int) -> Finding:
    return Finding(
        "time_series", "info", f"The scan holds {count} volumes, such as time points; one is shown at a time."
    )


def vector(count: int) -> Finding:
    return Finding("vector", "warning", f"Each voxel holds {count} values; they are shown like time points.")


def too_many_dimensions(shape: tuple[int, ...], where: Path) -> UnreadableScan:
    text = " x ".join(map(str, shape))
    return UnreadableScan(
        f"the scan has more than four dimensions ({text})",
        where=where,
        mend="Extract one volume or one series from it.",
    )
