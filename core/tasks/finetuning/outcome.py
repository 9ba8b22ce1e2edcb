"""What is predicted of a stay: its classes, labels or number, from the columns of the outcomes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from core.data.stays.known import MISSING_OUTCOMES
from core.data.stays.outcomes import Outcomes, numbers
from core.errors import ConfigError, DatasetError
from core.registry import Part

Array = np.ndarray[Any, Any]
Kind = Literal["binary", "multiclass", "multilabel", "regression"]
MOST_CLASSES = 100


class Target(Part):
    """What is predicted. classes: by code, of binary and multiclass; a number is standardised by mean and scale."""

    kind: Kind
    columns: list[str] = Field(min_length=1, max_length=100)
    classes: list[str] = Field([], max_length=MOST_CLASSES)
    mean: float = 0.0
    scale: float = Field(1.0, gt=0)

    @property
    def title(self) -> str:
        return ", ".join(self.columns)

    @property
    def outputs(self) -> int:
        """The network's: one for yes or no and for a number, else one for each class or label."""
        return {"binary": 1, "multiclass": len(self.classes), "multilabel": len(self.columns), "regression": 1}[
            self.kind
        ]

    @property
    def labels(self) -> list[str]:
        """The names of probabilities in an answer."""
        return list(self.columns) if self.kind == "multilabel" else list(self.classes)

    def of(self, outcomes: Outcomes, ids: list[str]) -> tuple[Array, Array]:
        """The targets of stays and whether each is known, (stays,) bool.

        binary (stays,) float32 of 0 and 1; multiclass (stays,) int64 codes; multilabel (stays, labels) float32 with
        NaN for what is not known; regression (stays,) float32, standardised.
        """
        if self.kind == "multilabel":
            table = np.stack([_yes_or_no(outcomes.of(ids, name)) for name in self.columns], axis=1)
            return table.astype(np.float32), np.isfinite(table).any(axis=1)
        cells = outcomes.of(ids, self.columns[0])
        if self.kind == "regression":
            value = _values(cells, self.columns[0])
            return ((value - self.mean) / self.scale).astype(np.float32), np.isfinite(value)
        place = {name: code for code, name in enumerate(self.classes)}
        codes = np.array([place.get(_written(cell), -1) for cell in cells], np.int64)
        return (codes.astype(np.float32) if self.kind == "binary" else codes), codes >= 0


def target_of(kind: Kind, columns: list[str], outcomes: Outcomes, ids: list[str]) -> Target:
    """What the outcomes of some stays are. Raises ConfigError or DatasetError where they are no such kind."""
    if kind != "multilabel" and len(columns) != 1:
        raise ConfigError("several outcomes are predicted only where task.kind is multilabel", mend="Name one target.")
    gone = [name for name in columns if name not in outcomes.columns]
    if gone:
        there = ", ".join(outcomes.columns) or "no table of outcomes lies beside the stays"
        raise DatasetError(
            f"there is no outcome {', '.join(gone)}", mend=f"Set task.targets or data.outcomes. There are: {there}."
        )
    name = columns[0]
    cells = outcomes.of(ids, name)
    if ids and not any(cell is not None for of in columns for cell in outcomes.of(ids, of)):
        raise DatasetError(
            f"no stay has a value of {', '.join(columns)}",
            mend=f"The stays are called {', '.join(ids[:3])}; the table of outcomes should name them so, and has"
            f" {', '.join(outcomes.ids[:3]) or 'no row'}.",
        )
    if kind == "regression":
        value = _values(cells, name)
        value = value[np.isfinite(value)]
        if len(value) < 2 or value.std() == 0:
            raise DatasetError(f"{name} has no two different numbers; nothing can be learned")
        return Target(kind=kind, columns=columns, mean=float(value.mean()), scale=float(value.std()))
    if kind == "multilabel":
        for column in columns:
            found = _yes_or_no(outcomes.of(ids, column))
            if not np.isin((0, 1), found).all():
                raise DatasetError(f"{column} has not both a 0 and a 1 among these stays; no label can be learned")
        return Target(kind=kind, columns=columns)
    names = {_written(cell) for cell in cells if cell is not None}
    if kind == "binary" and len(names) != 2:
        raise DatasetError(
            f"{name} has {len(names)} different values ({', '.join(sorted(names)[:6])}), not two",
            mend="Set task.kind to multiclass or regression, or task.targets to another column.",
        )
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DatasetError(f"{name} has {len(names):,} different values, which are no classes")
    return Target(kind=kind, columns=columns, classes=sorted(names, key=_order))


def _written(cell: str | None) -> str:
    """A cell as a class's name: 1.0 is 1."""
    if cell is None:
        return ""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return f"{number:g}"


def _order(name: str) -> tuple[float, str]:
    try:
        return float(name), ""
    except ValueError:
        return float("inf"), name


def _values(cells: list[str | None], column: str) -> Array:
    value = numbers(cells)
    value[np.isinf(value)] = np.nan
    if column in MISSING_OUTCOMES:
        value[value == MISSING_OUTCOMES[column]] = np.nan
    return value


def _yes_or_no(cells: list[str | None]) -> Array:
    value = numbers(cells)
    return np.where(np.isin(value, (0, 1)), value, np.nan)
