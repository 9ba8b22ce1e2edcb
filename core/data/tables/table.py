"""A table in memory, column by column, in as little memory as its numbers need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Kind = Literal["number", "category", "date", "text"]

MISSING = -1  # the code of an empty cell in a category column


@dataclass(frozen=True, eq=False)
class Column:
    """One column. `values` holds, by kind:

    number: float32 (float64 for long record numbers), NaN where empty. date: float64 days since 1970, NaN where empty.
    category: int32 codes into `levels`, MISSING where empty. text: a list of the cells, None where empty.
    unread: how many cells of the file held something that is no number or date, and so count as empty.
    """

    name: str
    kind: Kind
    values: Any
    levels: tuple[str, ...] = ()
    unread: int = 0

    def __len__(self) -> int:
        return len(self.values)

    @property
    def missing(self) -> Array:
        """Which cells are empty, (rows,) bool."""
        if self.kind == "category":
            return np.asarray(self.values == MISSING)
        if self.kind == "text":
            return np.array([cell is None for cell in self.values], bool)
        return np.isnan(self.values)

    def take(self, rows: Array) -> Column:
        values = [self.values[row] for row in rows] if self.kind == "text" else self.values[rows]
        return Column(self.name, self.kind, values, self.levels, self.unread)

    def strings(self) -> list[str | None]:
        """The cells as they would be written, None where empty."""
        if self.kind == "text":
            return list(self.values)
        if self.kind == "category":
            return [None if code == MISSING else self.levels[code] for code in self.values]
        return [None if empty else _written(value) for value, empty in zip(self.values, self.missing, strict=True)]

    def words(self) -> tuple[Array, list[str]]:
        """The cells as codes (rows,) int64 into what is written in them, MISSING where empty.

        Of numbers each different one is written once, so that a million rows take little time.
        """
        if self.kind == "category":
            return np.asarray(self.values, np.int64), list(self.levels)
        if self.kind == "text":
            names = sorted({cell for cell in self.values if cell is not None})
            place = {name: code for code, name in enumerate(names)}
            return np.array([MISSING if cell is None else place[cell] for cell in self.values], np.int64), names
        codes, filled = np.full(len(self), MISSING, np.int64), ~self.missing
        different, codes[filled] = np.unique(self.values[filled], return_inverse=True)
        return codes, [_written(value) for value in different]

    def as_kind(self, kind: Kind) -> Column:
        """The same cells read as another kind; what cannot be read so becomes empty."""
        if kind == self.kind:
            return self
        return column_of(self.name, self.strings(), kind)


def _written(number: float) -> str:
    return f"{number:.7g}"


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one length, by name, in the order of the file."""

    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def take(self, rows: Array) -> Table:
        return Table({name: column.take(rows) for name, column in self.columns.items()})

    def without(self, names: Sequence[str]) -> Table:
        return Table({name: column for name, column in self.columns.items() if name not in names})


def let_go(columns: dict[str, Column]) -> None:
    """Forget columns one by one: gigabytes that are given back at once hold Python's lock, and with it a window.

    Take a dictionary of your own: others may hold the same table.
    """
    while columns:
        columns.popitem()


def column_of(name: str, cells: Sequence[str | None], kind: Kind) -> Column:
    """A column of a kind from written cells.

    >>> column_of("age", ["61", None, "about 70"], "number").values
    array([61., nan, nan], dtype=float32)
    >>> column_of("sex", ["f", "m", None, "f"], "category").values
    array([ 0,  1, -1,  0], dtype=int32)
    """
    if kind == "number":
        return _with_unread(name, kind, np.array([_number(cell) for cell in cells], np.float32), cells)
    if kind == "date":
        return _with_unread(name, kind, dates(cells), cells)
    if kind == "category":
        levels = tuple(sorted({cell for cell in cells if cell is not None}))
        place = {level: code for code, level in enumerate(levels)}
        codes = np.array([MISSING if cell is None else place[cell] for cell in cells], np.int32)
        return Column(name, kind, codes, levels)
    return Column(name, "text", list(cells))


def _with_unread(name: str, kind: Kind, values: Array, cells: Sequence[str | None]) -> Column:
    filled = np.array([cell is not None for cell in cells], bool)
    return Column(name, kind, values, unread=int((np.isnan(values) & filled).sum()))


def _number(cell: str | None) -> float:
    if cell is None:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        try:
            return float(cell.replace(",", "."))  # a decimal comma
        except ValueError:
            return float("nan")


def dates(cells: Sequence[str | None]) -> Array:
    """Days since 1970 of ISO dates, NaN where a cell is none."""
    import pandas as pd

    parsed = pd.to_datetime(pd.Series(list(cells), dtype="object"), errors="coerce", format="ISO8601", utc=True)
    days = (parsed - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return days.to_numpy(np.float64, na_value=np.nan)
