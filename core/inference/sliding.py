"""Class probabilities of a prepared scan: one padded pass where it fits the patch, else a sliding window.

Windows overlap by half and are blended with a Gaussian, so that the middle of each counts most (Isensee 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np

from core.control import JobControl
from core.inference.region_first import SEEN, Windows, near, order
from core.inference.runtime import Runtime

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


def mirrors(axes: Iterable[str]) -> list[tuple[int, ...]]:
    """Every combination of the axes, as dimensions of (channels, x, y, z); the unmirrored first.

    >>> mirrors(["x", "z"])
    [(), (1,), (3,), (1, 3)]
    """
    dims = sorted({"x": 1, "y": 2, "z": 3}[axis] for axis in axes)
    return list(chain.from_iterable(combinations(dims, n) for n in range(len(dims) + 1)))


def probabilities(
    runtime: Runtime, image: Array, *, patch: Sequence[int], divisor: Divisor = 1, mirror_axes: Sequence[str] = (),
    mirror: bool | None = None, region_first: bool = False, overlapping: bool = False, windows: Windows | None = None,
    control: JobControl | None = None,
) -> Array:  # fmt: skip
    """(channels, x, y, z) float32 image -> (classes, x, y, z) float32 probabilities.

    mirror: average over the mirrorings the network was trained with; None does so where it is cheap, that is, where
    the image is smaller than two patches.
    region_first: see core.inference.region_first; class 0 is background then, unless `overlapping`. windows: counts.
    """
    job = control or JobControl()
    job.check()
    shape = image.shape[1:]
    size = runtime.window or window_size(shape, patch, divisor)
    if mirror is None:
        mirror = math.prod(shape) < 2 * math.prod(patch)
    flips = mirrors(mirror_axes) if mirror else [()]

    before = [max(w - n, 0) // 2 for n, w in zip(shape, size, strict=True)]
    after = [max(w - n, 0) - b for n, w, b in zip(shape, size, before, strict=True)]
    padded = np.pad(image, [(0, 0), *zip(before, after, strict=True)])
    places, rest = order([starts(n, w) for n, w in zip(padded.shape[1:], size, strict=True)], region_first)
    counted = windows if windows is not None else Windows()
    counted.asked, counted.whole = len(places), len(places) + len(rest)
    inner = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))

    def one_pass(place: tuple[int, ...], done: int) -> Array:
        window = padded[(slice(None), *_at(place, size))]
        summed: Any = 0.0
        for turn, dims in enumerate(flips):
            job.progress((done * len(flips) + turn) / (counted.whole * len(flips)), "Predicting")
            summed = summed + np.flip(runtime(np.ascontiguousarray(np.flip(window, dims))), dims)
        result: Array = summed / len(flips)
        return result

    if counted.whole == 1:  # as it is, without a blend
        return np.ascontiguousarray(one_pass(places[0], 0)[(slice(None), *inner)])
    blend = gaussian(size)
    total: Any = 0.0
    weight = np.zeros(padded.shape[1:], np.float32)
    done = 0
    while places:
        for place in places:
            found = one_pass(place, done)
            if done == 0:
                total = np.zeros((len(found), *weight.shape), np.float32)
            total[(slice(None), *_at(place, size))] += found * blend
            weight[_at(place, size)] += blend
            done += 1
        # What the new windows see may reach further: look around it again, until nothing comes.
        places = list(near(_seen(total, weight, overlapping), size, rest)) if rest else []
        rest = [place for place in rest if place not in set(places)]
        counted.asked += len(places)
    return np.ascontiguousarray((total / weight)[(slice(None), *inner)])


def _seen(total: Array, weight: Array, overlapping: bool) -> Array:
    """Where any structure is more than hardly likely, from the weighted sums of the windows so far."""
    if overlapping:
        return np.asarray(total.max(axis=0) > SEEN * weight)
    return np.asarray(total[0] < (1 - SEEN) * weight)


def _at(place: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(start, start + length) for start, length in zip(place, size, strict=True))
