"""Lengths measured in a scan: straight lines between two points of one slice, with undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Point = tuple[float, float, float]  # canonical index, fractions of voxels too
KEPT = 100


@dataclass(frozen=True)
class MeasuredLine:
    """From `start` to `end` in the slice `slice_index` across the canonical axis `normal`."""

    normal: int
    slice_index: int
    start: Point
    end: Point

    def length_mm(self, affine_ras: Array) -> float:
        """The distance of the ends in the patient; right in oblique and sheared grids too."""
        way = np.subtract(self.end, self.start) @ affine_ras[:3, :3].T
        return float(np.linalg.norm(way))


class MeasuredLines:
    """The lines of one scan. Each change can be undone until something else was laid over the scan."""

    def __init__(self) -> None:
        self.all: tuple[MeasuredLine, ...] = ()
        self.selected: MeasuredLine | None = None
        self._before: list[tuple[MeasuredLine, ...]] = []
        self._after: list[tuple[MeasuredLine, ...]] = []
        self._settled = False

    def add(self, line: MeasuredLine) -> None:
        self._change((*self.all, line))
        self.selected = line

    def replace(self, old: MeasuredLine, new: MeasuredLine) -> None:
        self._change(tuple(new if line is old else line for line in self.all))
        self.selected = new

    def remove_selected(self) -> bool:
        """Take away the selected line; without one, the newest. False if there is none."""
        if not self.all:
            return False
        gone = self.selected if self.selected in self.all else self.all[-1]
        self._change(tuple(line for line in self.all if line is not gone))
        self.selected = None
        return True

    def clear(self) -> None:
        if self.all:
            self._change(())
            self.selected = None

    def in_slice(self, normal: int, index: int) -> list[MeasuredLine]:
        return [line for line in self.all if (line.normal, line.slice_index) == (normal, index)]

    @property
    def can_undo(self) -> bool:
        """Whether the last thing done to the scan was a measurement."""
        return bool(self._before) and not self._settled

    @property
    def can_redo(self) -> bool:
        return bool(self._after) and not self._settled

    def undo(self) -> None:
        if self._before:
            self._after.append(self.all)
            self.all, self.selected = self._before.pop(), None

    def redo(self) -> None:
        if self._after:
            self._before.append(self.all)
            self.all, self.selected = self._after.pop(), None

    def settle(self) -> None:
        """Something else was done: undo is its from here on, until the next measurement."""
        self._settled = True

    def _change(self, lines: tuple[MeasuredLine, ...]) -> None:
        self._before = [*self._before, self.all][-KEPT:]
        self._after = []
        self.all = lines
        self._settled = False
