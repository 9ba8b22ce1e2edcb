"""Test-time mirroring: every window in every way, or a few ways each, where the structures are.

A network that was trained on mirrored patches answers a mirrored window a little differently, and the mean of its
answers is better than any of them. All ways of three axes take eight times the time, as nnU-Net predicts (Isensee
2021). But where windows overlap by half, most voxels lie in several of them, and most of a scan holds no structure. So
the ways can be shared out: after one plain pass, the windows that saw a structure well inside themselves are asked
`EACH` times more, and neighbours in different ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any, Literal

import numpy as np

from core.inference.region_first import Place

Array = np.ndarray[Any, Any]
Flip = tuple[int, ...]  # the mirrored dimensions of (channels, x, y, z)

# Always, never, or where that is cheap (None); "structures": shared out among the windows that see one.
Mirror = bool | Literal["structures"] | None
SHARED: Mirror = "structures"

EACH = 1  # further ways of a window
INSIDE = 1 / 4  # of a window's side: a structure nearer to its edge lies well inside a neighbour


@dataclass(frozen=True)
class Ways:
    """every: the ways that every window is asked in. shared: those that windows with a structure share out."""

    every: Sequence[Flip] = ((),)
    shared: Sequence[Flip] = ()

    @property
    def share(self) -> int:
        """How many of the shared ways a window takes."""
        return min(EACH, len(self.shared))


def mirrors(axes: Iterable[str]) -> list[Flip]:
    """Every combination of the axes, as dimensions of (channels, x, y, z); the unmirrored first.

    >>> mirrors(["x", "z"])
    [(), (1,), (3,), (1, 3)]
    """
    dims = sorted({"x": 1, "y": 2, "z": 3}[axis] for axis in axes)
    return list(chain.from_iterable(combinations(dims, n) for n in range(len(dims) + 1)))


def ways(axes: Iterable[str], mirror: Mirror, *, small: bool) -> Ways:
    """How a scan's windows are mirrored. small: the scan is hardly larger than one, so that all ways are cheap."""
    plain, *turned = mirrors(axes)
    if mirror is True or (small and mirror is not False):
        return Ways((plain, *turned))
    return Ways((plain,), turned) if mirror == SHARED else Ways()


def shared_out(
    places: Sequence[Place], begins: Sequence[Sequence[int]], size: Sequence[int], seen: Array, ways: Ways
) -> list[tuple[Place, Flip]]:
    """Which windows are asked again, and how mirrored.

    places: of the windows so far. begins: along each axis. size: of a window. seen: (x, y, z) where a structure may be.

    >>> both = Ways(shared=[(1,), (2,), (1, 2)])
    >>> shared_out([(0, 0), (4, 0)], [[0, 4], [0]], (8, 8), np.ones((12, 8), bool), both)
    [((0, 0), (1,)), ((4, 0), (2,))]
    """
    found = []
    for place in places:
        if not seen[_inside(place, size, seen.shape)].any():
            continue
        numbers = [list(axis).index(start) for axis, start in zip(begins, place, strict=True)]
        turn = sum((number % 2) << axis for axis, number in enumerate(numbers))  # different of all that overlap
        found += [(place, flip) for flip in _next(ways, turn)]
    return found


def _next(ways: Ways, turn: int) -> Iterator[Flip]:
    for n in range(ways.share):
        yield ways.shared[(turn * ways.share + n) % len(ways.shared)]


def _inside(place: Place, size: Sequence[int], shape: Sequence[int]) -> tuple[slice, ...]:
    """The middle of a window, up to its edge where it lies at the image's."""
    cuts = []
    for start, length, whole in zip(place, size, shape, strict=True):
        rim = int(length * INSIDE)
        cuts.append(slice(start + rim * (start > 0), start + length - rim * (start + length < whole)))
    return tuple(cuts)
