"""What each kind of data is called in the window, and what stands for it on disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core import registry
from core.data.tables.read import SUFFIXES, is_table
from gui.dropping import place_of


@dataclass(frozen=True)
class DataKind:
    """what: as in "choose ...". hint: in the empty field. text: what happens with it. unit: what a step is made of."""

    what: str
    hint: str
    text: str
    unit: str
    folders: bool = True
    tables: bool = False

    @property
    def action(self) -> str:
        """The words on the button that asks for it."""
        return "Choose a table…" if self.tables and not self.folders else "Choose a folder…"

    @property
    def filter(self) -> str:
        """For a file dialog."""
        return f"Tables ({' '.join('*' + suffix for suffix in SUFFIXES)});;All files (*)"

    def takes(self, path: Path) -> bool:
        """Whether a path may stand for such data."""
        return (self.folders and path.is_dir()) or (self.tables and path.is_file() and is_table(path))


KINDS = {
    "scans": DataKind(
        "the folder of images and labels",
        "drop a folder here",
        "Choose a folder of images and labels: it is checked for pairs, shapes, labels, geometry and duplicates.",
        "Patches",
    ),
    "table": DataKind(
        "the table",
        "drop a table here",
        "Choose a CSV, TSV, Excel or Parquet file with one row a case, then the column that is predicted: its columns "
        "are checked for empty cells, identifiers, leaks and rare outcomes.",
        "Rows",
        folders=False,
        tables=True,
    ),
    "cohort": DataKind(
        "the cohort's table or folder",
        "drop a cohort here",
        "Choose a cohort: a table with a row a visit, or the folder that holds it beside the scans. Subjects, files, "
        "units and ranges are checked.",
        "Subjects",
        tables=True,
    ),
    "stays": DataKind(
        "the folder of stays",
        "drop stays here",
        "Choose a folder of stays, or a table of them: times, variables and units are checked.",
        "Stays",
        tables=True,
    ),
}


def kind_at(path: Path, preferred: str) -> str:
    """The kind of the data at a place; "" where it is none. preferred: where it may be of several."""
    place = place_of(path)
    if place == "stays":
        return "stays"
    if path.is_dir():
        if any((path / f"participants{suffix}").is_file() for suffix in SUFFIXES):
            return "cohort"
        return preferred if preferred != "table" else "scans"
    if place != "tables":
        return ""
    return preferred if KINDS[preferred].tables else "table"


def kind_of(task: Any) -> DataKind:
    """That of a task's class or configuration."""
    return KINDS[task.data_kind]


@cache
def task_titles() -> dict[str, str]:
    """What each registered task is called, by its name."""
    return {name: title_of(part) for name, part in registry.parts("task").items()}


def title_of(task: Any) -> str:
    """What a task's class is called.

    >>> class Sorting: title, model_fields = "", {"name": type("F", (), {"default": "fine_sorting"})}
    >>> title_of(Sorting)
    'Fine sorting'
    """
    return str(task.title or task.model_fields["name"].default.replace("_", " ").capitalize())


def line_of(task: Any) -> str:
    """What a task does, in a line."""
    return ((task.__doc__ or "").strip().splitlines() or [""])[0]
