"""From a table's columns to a network's numbers, fitted on the training rows only.

Numbers: robustly scaled and smoothly clipped as in RealMLP (Holzmueller et al., arXiv 2407.04491); empty cells become
the median, and a column that has some gets a second one that says where. Words: codes, rare ones as one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from core.data.tables.check import tells_nothing
from core.data.tables.table import MISSING, Column, Table
from core.errors import DatasetError
from core.registry import Part

Array = np.ndarray[Any, Any]

RARE_LEVEL = 0  # the code of empty, rare and unknown words
FEWEST_OF_LEVEL = 5
CLIP = 3.0  # what the largest numbers are bent towards


class NumberColumn(Part):
    """How one column of numbers is scaled: (x - median) * factor, then clipped. `indicator`: a column says if empty."""

    name: str = Field(max_length=500)
    date: bool = False
    median: float
    factor: float
    indicator: bool = False
    low: float
    high: float


class WordColumn(Part):
    """The words of one column; the code of a word is its place here + 1."""

    name: str = Field(max_length=500)
    levels: list[str] = Field(max_length=20_000)


class TableCoding(Part):
    """How a table becomes two matrices. Plain values, kept with the model."""

    numbers: list[NumberColumn]
    words: list[WordColumn]

    @property
    def width(self) -> int:
        """Columns of the matrix of numbers, indicators included."""
        return len(self.numbers) + sum(column.indicator for column in self.numbers)

    @property
    def cardinalities(self) -> list[int]:
        """Codes of each column of words, that of the rare ones included."""
        return [len(column.levels) + 1 for column in self.words]

    @property
    def inputs(self) -> list[str]:
        """The columns that are needed, numbers first."""
        return [column.name for column in self.numbers] + [column.name for column in self.words]

    def missing_from(self, table: Table) -> list[str]:
        return [name for name in self.inputs if name not in table.columns]

    def encode(self, table: Table, rows: Array | None = None, *, where: Path | None = None) -> tuple[Array, Array]:
        """(rows, width) float32 and (rows, words) int64, of all rows or of these.

        Raises DatasetError for columns that are not there, with the table's file where it is given.
        """
        missing = self.missing_from(table)
        if missing:
            raise DatasetError(
                f"the table lacks columns that the model needs: {', '.join(missing[:5])}"
                + (f" and {len(missing) - 5} more" if len(missing) > 5 else ""),
                where=where,
                mend="Add them; they may be empty.",
            )
        count = len(table) if rows is None else len(rows)
        numbers = np.empty((count, self.width), np.float32)
        extra = len(self.numbers)
        for place, column in enumerate(self.numbers):
            values = _rows_of(table[column.name], rows).as_kind("date" if column.date else "number").values
            empty = ~np.isfinite(values)
            scaled = (np.where(empty, column.median, values) - column.median) * column.factor
            numbers[:, place] = smooth_clip(scaled)
            if column.indicator:
                numbers[:, extra] = empty
                extra += 1
        codes = np.zeros((count, len(self.words)), np.int64)
        for place, words in enumerate(self.words):
            codes[:, place] = _codes(_rows_of(table[words.name], rows), words.levels)
        return numbers, codes

    def outside(self, table: Table) -> list[tuple[str, int]]:
        """Columns of numbers with values far outside of those that were trained on, and how many rows have one."""
        found = []
        for column in self.numbers:
            if column.name not in table.columns or column.date:
                continue
            values = table[column.name].as_kind("number").values
            margin = 0.5 * (column.high - column.low)
            with np.errstate(invalid="ignore"):
                far = (values < column.low - margin) | (values > column.high + margin)
                count = int((far & np.isfinite(values)).sum())
            if count:
                found.append((column.name, count))
        return found


def _rows_of(column: Column, rows: Array | None) -> Column:
    return column if rows is None else column.take(rows)


def smooth_clip(scaled: Array) -> Array:
    """Large values bent towards +-CLIP, small ones nearly unchanged.

    >>> smooth_clip(np.array([0.1, 100.0])).round(2)
    array([0.1, 3. ])
    """
    with np.errstate(over="ignore"):
        return np.asarray(scaled / np.sqrt(1 + (scaled / CLIP) ** 2))


def fit_coding(table: Table, rows: Array | None = None, *, identifiers: bool = False) -> TableCoding:
    """The coding of a table's rows: give the training rows only. Columns that cannot be learned from are left out.

    rows: only these; a table is never copied as a whole, since it may fill the memory. identifiers: keep columns that
    look like some. Raises DatasetError where nothing is left.
    """
    numbers, words = [], []
    for whole in table.columns.values():
        column = whole if rows is None else whole.take(rows)
        if tells_nothing(column, identifiers=identifiers):
            continue
        if column.kind in ("number", "date"):
            numbers.append(_number_column(column))
        else:
            words.append(_word_column(column))
    if not numbers and not words:
        raise DatasetError("no column is left to learn from", mend="Look at the findings of the check.")
    return TableCoding(numbers=numbers, words=words)


def _number_column(column: Column) -> NumberColumn:
    values = column.values[np.isfinite(column.values)].astype(np.float64)
    low, lower, median, upper, high = np.quantile(values, (0.0, 0.25, 0.5, 0.75, 1.0))
    # Where more than half of the values are the same, the whole range takes the place of the middle half.
    spread = upper - lower if upper > lower else (high - low) / 2
    factor = 1 / spread if spread > 0 else 1.0
    return NumberColumn(
        name=column.name, date=column.kind == "date", median=float(median), factor=float(factor),
        indicator=len(values) < len(column), low=float(low), high=float(high),
    )  # fmt: skip


def _word_column(column: Column) -> WordColumn:
    counts = np.bincount(column.values[column.values != MISSING], minlength=len(column.levels))
    fewest = FEWEST_OF_LEVEL if len(column) >= 20 * FEWEST_OF_LEVEL else 1
    return WordColumn(name=column.name, levels=[column.levels[i] for i in np.flatnonzero(counts >= fewest)])


def _codes(column: Column, levels: list[str]) -> Array:
    own = column.as_kind("category")
    place = {level: code for code, level in enumerate(levels, start=1)}
    # The last entry answers MISSING, which is -1.
    known = np.array([*(place.get(level, RARE_LEVEL) for level in own.levels), RARE_LEVEL], np.int64)
    return np.asarray(known[own.values])
