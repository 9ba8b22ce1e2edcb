"""A network's answers over a whole image: windows of one size, blended.

If wanted, the region of interest first, and mirrored where the structures are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.control import JobControl
from core.inference.mirroring import Flip, Ways, shared_out
from core.inference.region_first import Place, Windows, near, order
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
    turned: Ways, control: JobControl, *, seen: Seen, region_first: bool = False, windows: Windows | None = None,
) -> Array:  # fmt: skip
    """(channels, x, y, z) at least a window large -> (outputs, x, y, z) float32.

    begins: of the windows, along each axis. weights: of a window's voxels, none of them 0. turned: the mirrorings
    to average over. seen: where a structure may be, for `region_first` (core.inference.region_first) and for shared
    mirrorings. windows: counts.
    """
    places, rest = order(begins, size, region_first)
    counted = windows if windows is not None else Windows()
    counted.asked, counted.whole = len(places), len(places) + len(rest)

    def answer(place: Place, flips: Sequence[Flip], part: JobControl, done: float) -> Array:
        """done: of the windows, how many."""
        window = image[(slice(None), *at(place, size))]
        summed: Any = 0.0
        for turn, dims in enumerate(flips):
            part.progress((done + turn / len(flips)) / counted.whole, "Predicting")
            summed = summed + np.flip(runtime(np.ascontiguousarray(np.flip(window, dims), np.float32)), dims)
        result: Array = summed / len(flips)
        return result

    if counted.whole == 1:  # as it is, without a blend
        return np.ascontiguousarray(answer(places[0], [*turned.every, *turned.shared[: turned.share]], control, 0))
    weight = np.zeros(image.shape[1:], np.float32)
    total: Any = 0.0
    once = control.part(0.0, 1 / (1 + turned.share))
    asked: list[Place] = []
    while places:
        for place in places:
            found = answer(place, turned.every, once, len(asked))
            if not asked:
                total = np.zeros((len(found), *weight.shape), np.float32)
            total[(slice(None), *at(place, size))] += found * weights
            weight[at(place, size)] += weights
            asked.append(place)
        # What the new windows see may reach further: look around it again, until nothing comes.
        places = list(near(seen(total, weight), size, rest)) if rest else []
        rest = [place for place in rest if place not in set(places)]
        counted.asked += len(places)
    if turned.shared:
        again = shared_out(asked, begins, size, seen(total, weight), turned)
        further = control.part(1 / (1 + turned.share), 1.0)
        for done, (place, flip) in enumerate(again):
            found = answer(place, [flip], further, done * counted.whole / len(again))
            total[(slice(None), *at(place, size))] += found * weights
            weight[at(place, size)] += weights
        counted.mirrored = len({place for place, _ in again})
    total /= weight
    blend: Array = total
    return blend


def at(place: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    """Where a window lies."""
    return tuple(slice(start, start + length) for start, length in zip(place, size, strict=True))
