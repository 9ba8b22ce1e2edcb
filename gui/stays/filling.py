"""What a pretraining put into the hidden cells of a few stays, as it was written after an epoch. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
MOST = 100_000_000  # cells


@dataclass(frozen=True, eq=False)
class Row:
    """One variable of one stay. hours, values: what was measured; hidden: which of it the encoder did not see;
    filled: what it put there instead."""

    name: str
    hours: Array
    values: Array
    hidden: Array
    filled: Array


@dataclass(frozen=True, eq=False)
class FilledStays:
    """values, observed, hidden, filled: (stays, steps, variables), in the variables' own units; hours: (steps,).

    error: how far off the hidden measurements are on the mean, in spreads of their variable.
    """

    epoch: int
    ids: list[str]
    variables: list[str]
    hours: Array
    values: Array
    observed: Array
    hidden: Array
    filled: Array
    error: float

    def rows(self, stay: int, most: int) -> list[Row]:
        """The variables of a stay of which most was hidden, at most `most`."""
        asked = (self.hidden[stay] & self.observed[stay]).sum(0)
        found = []
        for n in np.argsort(-asked, kind="stable")[:most]:
            at = np.flatnonzero(self.observed[stay, :, n])
            if asked[n] and len(at) > 1:
                found.append(
                    Row(
                        self.variables[n], self.hours[at], self.values[stay, at, n], self.hidden[stay, at, n],
                        self.filled[stay, at, n],
                    )
                )  # fmt: skip
        return found


def read_filled(arrays: Mapping[str, Any], epoch: int) -> FilledStays:
    """The stays of a file's arrays. Raises ValueError or KeyError where they are no such."""
    values, observed, hidden, filled = (arrays[name] for name in ("values", "observed", "hidden", "filled"))
    hours, variables, ids = arrays["times"], [str(v) for v in arrays["variables"]], [str(v) for v in arrays["ids"]]
    shape = (len(ids), len(hours), len(variables))
    if values.size > MOST or not ids or any(of.shape != shape for of in (values, observed, hidden, filled)):
        raise ValueError("these are no filled stays")
    return FilledStays(
        epoch, ids, variables, hours, values, observed.astype(bool), hidden.astype(bool), filled, float(arrays["error"])
    )
