"""A scan that is shown while its file is still being decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.imaging.geometry import Reorientation, to_canonical
from core.imaging.partial import PartialVolume
from core.imaging.volume import Volume
from gui.viewer.window_level import WindowLevel, first_window, looks_like_ct, sample

Array = np.ndarray[Any, Any]
SLOWEST = 2  # the native axis along which a file fills, whichever axis of the patient that is


@dataclass(eq=False)
class ArrivingScan:
    """The slices that are there, and what a first picture of them needs, worked out beside the window.

    The grid and its place in the patient are those of the whole scan from the start, so no picture moves as it fills.
    Until its user takes hold of it, the cursor goes along with the newest slice as far as the middle of the grid, near
    to which the whole scan opens: there is something to see at once in all three planes, whichever of them the file is
    stored in, and the whole scan does not jump. The window is chosen anew whenever twice as much is there: the first
    slices may hold nothing but air.
    """

    partial: PartialVolume
    turn: Reorientation
    axis: int  # the canonical axis along which it fills
    window: WindowLevel = field(default=WindowLevel(1, 0.5))
    _seen: int = 0  # slices that the window was chosen from

    @classmethod
    def prepare(cls, partial: PartialVolume) -> ArrivingScan:
        turn = to_canonical(partial.affine_ras)
        made = cls(partial, turn, turn.order.index(SLOWEST))
        made.choose_window()
        return made

    def choose_window(self) -> None:
        """From all that is there, if that is twice as much as the last time."""
        partial = self.partial
        there = Volume(partial.slices(), partial.affine_ras, partial.source, partial.slope, partial.intercept)
        count = there.grid_shape[SLOWEST]
        if count >= 2 * self._seen and count > 0:
            self._seen = count
            values = sample(there)[::2, ::2]  # it is chosen again from the whole: a quarter of the time will do
            self.window = first_window(values, is_ct=looks_like_ct(there, values))

    def index(self) -> tuple[int, int, int]:
        """Where the cursor goes by itself, canonical."""
        index = [self.partial.grid_shape[native] // 2 for native in self.turn.order]
        size = self.partial.grid_shape[SLOWEST]
        newest = min(max(self.partial.slices().shape[SLOWEST] - 1, 0), size // 2)
        index[self.axis] = size - 1 - newest if self.turn.flips[self.axis] else newest
        return index[0], index[1], index[2]

    def there(self, time: int) -> tuple[Array, int]:
        """The canonical voxels that are there, and the index along `axis` at which they begin."""
        slices = self.partial.slices(time)
        missing = self.partial.grid_shape[SLOWEST] - slices.shape[SLOWEST]
        return self.turn.apply(slices), missing if self.turn.flips[self.axis] else 0

    def words(self) -> str:
        return f"Loading {int(100 * self.partial.fraction)} %"
