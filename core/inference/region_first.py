"""The region of interest first: a coarse pass over a large scan, then the other windows where it saw something.

The coarse pass takes the fewest windows of the usual grid that leave no voxel out; where windows overlap by half, every
second one along each axis. They see every voxel at full resolution for about an eighth of the work, and they are part
of the whole answer: where the structures are found, the rest of the windows are added, and the answer there is the very
same as without this. What is left out is the second look at places where the first saw no structure at `SEEN` or more.
Never more work than without.

Models of other programs can be asked for it too. They do so only where it is chosen, since how small the structures of
their training scans were is not known (`safe`). Windows that overlap by less than half, as in many MONAI bundles, leave
little to save: where the coarse pass needs `WORTH` of them, all are taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from core.data.plan import Plan
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]
Place = tuple[int, ...]

SEEN = 0.05  # the probability of any structure from which on a place is looked at again
AROUND = 1 / 4  # of a window: how near to what was seen windows are added
WORTH = 0.5  # of the windows; where the coarse pass needs more of them, nothing is gained
LEAST_SIDE = 1 / 8  # of a window's: a structure that may be smaller could lie unseen where four windows meet


@dataclass
class Windows:
    """How many windows the network was asked for, of how many the whole grid has; how many of them mirrored too."""

    asked: int = 0
    whole: int = 0
    mirrored: int = 0

    def findings(self) -> list[Finding]:
        """For the record of a prediction: what was saved, where it was."""
        if self.asked >= self.whole:
            return []
        text = (
            f"Looked at the whole scan coarsely, then closely where the structures are: {self.asked} of {self.whole}"
            " windows."
        )
        return [Finding("region_first", "info", text)]


def safe(plan: Plan) -> bool:
    """Whether the smallest structure of the training scans is too large to be overlooked by the coarse pass."""
    return plan.smallest_voxels is not None and plan.smallest_voxels >= math.prod(plan.patch_size) * LEAST_SIDE**3


def order(begins: Sequence[Sequence[int]], size: Sequence[int], wanted: bool) -> tuple[list[Place], list[Place]]:
    """Where the windows of the coarse pass begin, and those of the rest; all of them in the first where it is no gain.

    begins: along each axis, in ascending order. size: of a window. wanted: False takes all at once.

    >>> [len(part) for part in order([[0, 4, 8], [0, 4, 8], [0, 4, 8]], (8, 8, 8), True)]
    [8, 19]
    """
    every = list(product(*begins))
    few = set(product(*(covering(axis, length) for axis, length in zip(begins, size, strict=True))))
    if not wanted or len(few) > WORTH * len(every):
        return every, []
    return [place for place in every if place in few], [place for place in every if place not in few]


def covering(begins: Sequence[int], length: int) -> list[int]:
    """The fewest windows of a length that leave no voxel out which all of them see.

    >>> covering([0, 4, 8, 12, 16], 8), covering([0, 6, 12], 8), covering([0, 1, 2], 1)
    ([0, 8, 16], [0, 6, 12], [0, 1, 2])
    """
    kept = [begins[0]]
    for begin, following in zip(begins[1:], [*begins[2:], None], strict=False):
        if following is None or following > kept[-1] + length:
            kept.append(begin)
    return kept


def near(seen: Array, size: Sequence[int], rest: list[Place]) -> Iterator[Place]:
    """Those of the windows that touch what was seen (x, y, z) bool, or come near it."""
    margin = [max(round(n * AROUND), 1) for n in size]
    for place in rest:
        box = tuple(slice(max(a - m, 0), a + n + m) for a, n, m in zip(place, size, margin, strict=True))
        if seen[box].any():
            yield place
