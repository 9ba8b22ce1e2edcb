"""Class probabilities of a prepared scan: one padded pass where it fits the patch, else a sliding window.

Windows overlap by half and are blended with a Gaussian, so that the middle of each counts most (Isensee 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.control import JobControl
from core.inference.mirroring import Mirror, ways
from core.inference.region_first import SEEN, Windows
from core.inference.runtime import Runtime
from core.inference.windows import blended, padded

Array = np.ndarray[Any, Any]
Divisor = int | Sequence[int]

# A volume up to this many patches large is taken in one pass: faster than windows, and without their seams. The
# validation in training does the same, so its figures are those of a prediction.
ONE_PASS_PATCHES = 4
OVERLAP = 0.5
GAUSSIAN_SIGMA = 1 / 8  # of the window


def window_size(shape: Sequence[int], patch: Sequence[int], divisor: Divisor) -> tuple[int, ...]:
    """What the network sees at once: the whole image where it is not many patches large, else a patch.

    divisor: the sides are multiples of it, or each of its own.

    >>> window_size((35, 50, 36), (32, 64, 32), 16), window_size((256, 256, 256), (64, 64, 64), 16)
    ((48, 64, 48), (64, 64, 64))
    """
    steps = [int(n) for n in np.broadcast_to(divisor, len(shape))]
    whole, window = ([-(-n // d) * d for n, d in zip(sides, steps, strict=True)] for sides in (shape, patch))
    whole = [max(n, w) for n, w in zip(whole, window, strict=True)]
    return tuple(whole if math.prod(whole) <= ONE_PASS_PATCHES * math.prod(window) else window)


def starts(length: int, window: int) -> list[int]:
    """Evenly spread beginnings of windows that cover `length` (at least the window's own size).

    >>> starts(100, 64), starts(64, 64)
    ([0, 18, 36], [0])
    """
    if length <= window:
        return [0]
    steps = -(-(length - window) // max(int(window * (1 - OVERLAP)), 1))
    return [round(i * (length - window) / steps) for i in range(steps + 1)]


def gaussian(size: Sequence[int]) -> Array:
    """Blending weights of a window: (x, y, z) float32 with 1 in the middle, never quite 0."""
    weights = np.ones((), np.float32)
    for n in size:
        x = (np.arange(n) - (n - 1) / 2) / (n * GAUSSIAN_SIGMA)
        weights = weights[..., None] * np.exp(-0.5 * x**2, dtype=np.float32)
    return np.maximum(weights, np.float32(1e-3))


def probabilities(
    runtime: Runtime, image: Array, *, patch: Sequence[int], divisor: Divisor = 1, mirror_axes: Sequence[str] = (),
    mirror: Mirror = None, region_first: bool = False, overlapping: bool = False, windows: Windows | None = None,
    control: JobControl | None = None,
) -> Array:  # fmt: skip
    """(channels, x, y, z) float32 image -> (classes, x, y, z) float32 probabilities.

    mirror: average over the mirrorings the network was trained with; None does so where it is cheap, that is, where
    the image is smaller than two patches; "structures": see core.inference.mirroring. region_first: see
    core.inference.region_first. For both class 0 is background, unless `overlapping`. windows: counts.
    """
    job = control or JobControl()
    job.check()
    shape = image.shape[1:]
    size = runtime.window or window_size(shape, patch, divisor)
    turned = ways(mirror_axes, mirror, small=math.prod(shape) < 2 * math.prod(patch))
    whole, inner = padded(image, size)
    begins = [starts(n, w) for n, w in zip(whole.shape[1:], size, strict=True)]
    found = blended(
        runtime, whole, size, begins, gaussian(size), turned, job, windows=windows, region_first=region_first,
        seen=_region_seen if overlapping else _structure_seen,
    )  # fmt: skip
    return np.ascontiguousarray(found[(slice(None), *inner)])


def _region_seen(total: Array, weight: Array) -> Array:
    """Where any region is more than hardly likely, from the weighted sums of the windows so far."""
    return np.asarray(total.max(axis=0) > SEEN * weight)


def _structure_seen(total: Array, weight: Array) -> Array:
    """As `_region_seen`, where structures exclude each other and class 0 is none of them."""
    return np.asarray(total[0] < (1 - SEEN) * weight)
