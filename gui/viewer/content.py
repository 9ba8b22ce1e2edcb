"""Which part of a scan holds the patient."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.imaging.geometry import to_canonical
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]


def content_of(volume: Volume, values: Array) -> tuple[tuple[int, int], ...]:
    """Per canonical axis, the index range that holds something: what a view fits itself to."""
    turn = to_canonical(volume.affine_ras)
    turned = turn.apply(values)
    shape = turn.apply(np.broadcast_to(np.uint8(0), volume.grid_shape)).shape
    finite = np.where(np.isfinite(turned), turned, -np.inf)
    low, high = np.percentile(values[np.isfinite(values)], (1, 99.5)) if np.isfinite(values).any() else (0, 1)
    inside = finite > low + 0.12 * (high - low)
    ranges = []
    for axis, size in enumerate(shape):
        others = tuple(other for other in range(3) if other != axis)
        share = inside.mean(axis=others)
        held = np.flatnonzero(share > 0.004)
        if held.size == 0:
            ranges.append((0, size - 1))
            continue
        step = size / turned.shape[axis]
        first, last = (held[0] - 1) * step, (held[-1] + 2) * step
        short = max(0.0, 0.4 * size - (last - first)) / 2  # never closer than this, or the place in the body is lost
        ranges.append((max(0, int(first - short)), min(size - 1, int(last + short))))
    return tuple(ranges)


def middle_of(content: tuple[tuple[int, int], ...]) -> tuple[int, int, int]:
    i, j, k = ((first + last) // 2 for first, last in content)
    return i, j, k
