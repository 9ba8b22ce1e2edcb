"""A table as the page shows it: read, its columns summed up and checked, all in a job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.counting import counted
from core.data.tables.check import NONE_LEFT, ColumnFacts, check_columns, facts_of, tells_nothing
from core.data.tables.read import read_table
from core.data.tables.table import Column, Kind, Table
from core.imaging.volume import Finding

BINS = 24
WORDS = 8  # the commonest words that are drawn


@dataclass(frozen=True)
class Summary:
    """What is known of a column, and its distribution: `counts` by bin of a number or date, or of its words."""

    facts: ColumnFacts
    counts: tuple[int, ...]

    @property
    def said(self) -> str:
        """In words."""
        facts = self.facts
        if facts.range is not None:
            low, half, high = (cell_text(facts.kind, value) for value in facts.range)
            return f"{low} to {high}, median {half}"
        if facts.top:
            return ", ".join(f"{count:,} with {name}" for name, count in facts.top)
        return f"{facts.different:,} different"


@dataclass(frozen=True)
class OpenedTable:
    """A table with the summary of each column, in the order of the file, and what its check found."""

    path: Path
    table: Table
    summaries: list[Summary]
    findings: list[Finding]
    kinds: dict[str, Kind] = field(default_factory=dict)  # of columns that were mended

    def line(self) -> str:
        return f"{counted(len(self.table), 'row')} · {counted(len(self.table.columns), 'column')}"


def open_table(path: Path, kinds: Mapping[str, Kind], control: JobControl) -> OpenedTable:
    """Read a table, with some columns taken as other kinds. Raises DatasetError."""
    control.progress(None, f"Reading {path.name}")
    table = read_table(path, control)
    mended = {name: kind for name, kind in kinds.items() if name in table.columns}
    if mended:
        columns = {}
        for name, column in table.columns.items():
            control.check()
            columns[name] = column.as_kind(mended[name]) if name in mended else column
        table = Table(columns)
    summaries, findings = [], []
    for number, column in enumerate(table.columns.values()):
        control.progress(number / len(table.columns), f"Looking at {column.name}")
        summaries.append(summary_of(column))
        # Column by column for the progress's sake: of one alone nothing may be left to learn from, of all there is.
        findings += [one for one in check_columns(Table({column.name: column})) if one.code != NONE_LEFT]
    if table.columns and all(map(tells_nothing, table.columns.values())):
        findings.append(Finding(NONE_LEFT, "error", "No column is left to learn from."))
    return OpenedTable(path, table, summaries, findings, mended)


def summary_of(column: Column) -> Summary:
    """The facts and the distribution of one column."""
    facts = facts_of(column)
    counts: Any = ()
    if column.kind in ("number", "date") and facts.range is not None:
        values = column.values[np.isfinite(column.values)]
        low, high = facts.range[0], facts.range[2]
        if facts.different <= WORDS and column.kind == "number":
            counts = np.unique(values, return_counts=True)[1]
        else:
            counts = np.histogram(values, BINS, (low, high if high > low else low + 1))[0]
    elif column.kind == "category":
        counts = sorted(np.bincount(column.values[column.values >= 0], minlength=1).tolist(), reverse=True)[:WORDS]
    return Summary(facts, tuple(int(count) for count in counts))


def cell_text(kind: str, value: Any) -> str:
    """One cell's value as it is read; empty where it is.

    >>> cell_text("number", 61.5), cell_text("number", float("nan")), cell_text("date", 15000.0), cell_text("text", "a")
    ('61.5', '', '2011-01-26', 'a')
    """
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    if kind == "number":
        return f"{float(value):.7g}"
    if kind == "date":
        # A day is written without its midnight.
        moment = str(np.datetime64(round(float(value) * 86_400), "s"))
        return moment.removesuffix("T00:00:00").replace("T", " ")
    return str(value)


def cell_of(column: Column, row: int) -> str:
    """The text of one cell."""
    value = column.values[row]
    if column.kind == "category":
        return "" if value < 0 else column.levels[value]
    return cell_text(column.kind, value)
