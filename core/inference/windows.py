"""A network's answers over a whole image: windows of one size, blended; if wanted, the region of interest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.control import JobControl
from core.inference.region_first import Windows, near, order
from core.inference.runtime import Runtime

Array = np.ndarray[Any, Any]
# Where a structure may be: (x, y, z) bool, from the weighted sums (outputs, x, y, z) of the answers and their weights.
Seen = Callable[[Array, Array], Array]


def padded(image: Array, size: Sequence[int]) -> tuple[Array, tuple[slice, ...]]:
    """The image (channels, x, y, z) padded with 0 on both sides to at least a window, and where it lies in that."""
    missing = [max(w - n, 0) for n, w in zip(image.shape[1:], size, strict=True)]
    around = [(m // 2, m - m // 2) for m in missing]
    inner = tuple(slice(before, before + n) for (before, _), n in zip(around, image.shape[1:], strict=True))
    return np.pad(image, [(0, 0), *around]), inner


def blended(
    runtime: Runtime, image: Array, size: Sequence[int], begins: Sequence[Sequence[int]], weights: Array,
    flips: Sequence[tuple[int, ...]], control: JobControl, *, seen: Seen | None = None, windows: Windows | None = None,
) -> Array:  # fmt: skip
    """(channels, x, y, z) at least a window large -> (outputs, x, y, z) float32.

    begins: of the windows, along each axis. weights: of a window's voxels, none of them 0. flips: the mirrorings
    to average over, as dimensions of the image with its channels. seen: looks at the region of interest first, see
    core.inference.region_first; None looks everywhere. windows: counts.
    """
    places, rest = order(begins, size, seen is not None)
    counted = windows if windows is not None else Windows()
    counted.asked, counted.whole = len(places), len(places) + len(rest)

    def answer(place: tuple[int, ...], done: int) -> Array:
        window = image[(slice(None), *at(place, size))]
        summed: Any = 0.0
        for turn, dims in enumerate(flips):
            control.progress((done * len(flips) + turn) / (counted.whole * len(flips)), "Predicting")
            summed = summed + np.flip(runtime(np.ascontiguousarray(np.flip(window, dims), np.float32)), dims)
        result: Array = summed / len(flips)
        return result

    if counted.whole == 1:  # as it is, without a blend
        return np.ascontiguousarray(answer(places[0], 0))
    weight = np.zeros(image.shape[1:], np.float32)
    total: Any = 0.0
    done = 0
    while places:
        for place in places:
            found = answer(place, done)
            if done == 0:
                total = np.zeros((len(found), *weight.shape), np.float32)
            total[(slice(None), *at(place, size))] += found * weights
            weight[at(place, size)] += weights
            done += 1
        # What the new windows see may reach further: look around it again, until nothing comes.
        places = list(near(seen(total, weight), size, rest)) if rest and seen is not None else []
        rest = [place for place in rest if place not in set(places)]
        counted.asked += len(places)
    total /= weight
    blend: Array = total
    return blend


def at(place: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    """Where a window lies."""
    return tuple(slice(start, start + length) for start, length in zip(place, size, strict=True))
