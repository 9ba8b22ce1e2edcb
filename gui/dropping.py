"""Which page a dropped file or folder belongs to, by its name and its first bytes, and which a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from core.data.tables.read import is_table

LOOKED_AT = 20  # files of a folder
NAMED = 3
HEAD_BYTES = 200
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
STAY_HEAD = b"time,parameter,value"  # of a file with the measurements of one stay

Place = Literal["scans", "tables", "stays"]
PAGE_OF = {"table": "tables", "stays": "stays", "cohort": "risk"}  # by the kind of data of a task


def place_of(path: Path) -> Place:
    """The page that opens a path. One that cannot be looked into goes to the scans, whose reader says why."""
    try:
        if path.is_dir():
            files = islice((file for file in path.iterdir() if file.suffix.lower() == ".txt"), LOOKED_AT)
            return "stays" if any(_is_stay(file) for file in files) else "scans"
        if is_table(path):
            return "stays" if _is_stay(path) else "tables"
    except OSError:
        return "scans"
    return "stays" if path.name.lower().endswith(ARCHIVES) else "scans"


def some(names: Sequence[str]) -> str:
    """The first few of some names, and how many more there are.

    >>> some("abcde")
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def page_of(task: str) -> str:
    """The page that shows the predictions of a task."""
    from core import registry  # brings every task: not before the window shows

    part: Any = None if task == "segmentation" else registry.parts("task").get(task)
    return PAGE_OF.get(part.data_kind, "scans") if part is not None else "scans"


def _is_stay(path: Path) -> bool:
    if path.suffix.lower() not in (".txt", ".csv"):
        return False
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return head.replace(b" ", b"").lower().startswith(STAY_HEAD)
