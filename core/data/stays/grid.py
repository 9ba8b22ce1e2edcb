"""Stays on a grid: for each step and variable the mean of what was measured, and whether anything was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.data.stays.coding import StayCoding, code_statics
from core.data.stays.series import Stays

Array = np.ndarray[Any, Any]
CHUNK_CELLS = 40_000_000


@dataclass(frozen=True, eq=False)
class Grid:
    """values: (stays, steps, variables) float32, 0 where `observed` (bool) is not. lengths: (stays,) steps until the
    last measurement, at least 1; statics: (stays, width) float32."""

    values: Array
    observed: Array
    lengths: Array
    statics: Array

    def __len__(self) -> int:
        return len(self.values)


def grid(coding: StayCoding, stays: Stays) -> Grid:
    """Lay stays onto the coding's grid; variables that it does not know, and later hours, are not used."""
    steps, width = coding.steps, len(coding.variables)
    place = {name: n for n, name in enumerate(coding.names)}
    to = np.array([place.get(name, -1) for name in stays.variables] or [-1], np.int64)
    step = np.floor(stays.hours / coding.step_hours + 1e-6).astype(np.int64)
    variable = to[stays.variable]
    # A measurement at the very end belongs to the last step, as 48:00 does to the 48th hour.
    step = np.where(stays.hours == steps * coding.step_hours, steps - 1, step)
    used = np.flatnonzero((variable >= 0) & (step >= 0) & (step < steps))
    stay, step, variable = stays.stay[used].astype(np.int64), step[used], variable[used]
    value = np.empty(len(used), np.float32)
    for n, scaling in enumerate(coding.variables):
        mine = variable == n
        value[mine] = scaling.code(stays.value[used][mine], coding.clip)
    values = np.zeros((len(stays), steps, width), np.float32)
    observed = np.zeros((len(stays), steps, width), bool)
    chunk = max(CHUNK_CELLS // (steps * width), 1)
    for start in range(0, len(stays), chunk):  # so that the sums need little memory
        part = slice(*np.searchsorted(stay, (start, start + chunk)))
        count = min(chunk, len(stays) - start)
        cell = ((stay[part] - start) * steps + step[part]) * width + variable[part]
        total = np.bincount(cell, weights=value[part], minlength=count * steps * width)
        number = np.bincount(cell, minlength=count * steps * width)
        shape = (count, steps, width)
        values[start : start + count] = (total / np.maximum(number, 1)).reshape(shape)
        observed[start : start + count] = (number > 0).reshape(shape)
    lengths = np.ones(len(stays), np.int64)
    np.maximum.at(lengths, stay, step + 1)
    return Grid(values, observed, lengths, code_statics(coding, stays))
