"""Tables of outcomes: one row a stay, found beside the stays or named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.data.stays.files import STAY, TABLES, is_outcomes
from core.errors import DatasetError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Columns by name, each with the cells of `ids` as text, None where empty."""

    ids: list[str]
    columns: dict[str, list[str | None]]

    def of(self, ids: list[str], column: str) -> list[str | None]:
        """The cells of some stays; None where a stay has none."""
        if column not in self.columns:
            return [None] * len(ids)
        cells = dict(zip(self.ids, self.columns[column], strict=True))
        return [cells.get(id) for id in ids]


def outcome_files(path: Path) -> list[Path]:
    """The tables of outcomes beside the stays of a file or folder, by their names ("Outcomes-a.txt", "labels.csv")."""
    folder = path if path.is_dir() else path.parent
    found = folder.rglob("*") if path.is_dir() else folder.glob("*")
    return sorted(p for p in found if p.is_file() and is_outcomes(p.name) and p.name.lower().endswith(TABLES))


def read_outcomes(files: list[Path]) -> Outcomes:
    """All outcomes of some tables. Raises DatasetError where one is none, or gives a stay two different outcomes."""
    import pandas as pd

    frames = []
    for path in files:
        try:
            if path.name.lower().endswith(".parquet"):
                frame = pd.read_parquet(path).astype(str)
            else:
                with path.open("rb") as file:
                    head = file.read(100_000).partition(b"\n")[0].decode("utf-8-sig", "replace")
                frame = pd.read_csv(
                    path, sep=max(",;\t|", key=head.count), dtype=str, encoding="utf-8-sig", encoding_errors="replace"
                )
        except Exception as error:  # pandas and pyarrow raise many types for a damaged file
            why = str(error).strip().splitlines()[0][:200]
            raise DatasetError(f"not readable as a table of outcomes ({why})", where=path) from None
        frame.columns = [str(name).strip() for name in frame.columns]
        lower = {name.lower(): name for name in reversed(list(frame.columns))}
        key = next((lower[name] for name in STAY if name in lower), None)
        if key is None:
            raise DatasetError(
                "no column names the stays", where=path, mend=f"Name it {STAY[0]}, RecordID or {STAY[1]}."
            )
        frames.append(frame.rename(columns={key: "\0stay"}))
    if not frames:
        return Outcomes([], {})
    whole = pd.concat(frames, ignore_index=True)
    whole["\0stay"] = whole["\0stay"].str.strip()
    whole = whole.drop_duplicates()
    twice = whole["\0stay"][whole["\0stay"].duplicated()]
    if len(twice):
        raise DatasetError(
            f"{len(twice):,} stays have two different rows of outcomes, such as {twice.iloc[0]}", where=files[0].parent,
            mend="Leave one of them, or name the table with data.outcomes.",
        )  # fmt: skip
    columns = {
        str(name): [None if pd.isna(cell) or not str(cell).strip() else str(cell).strip() for cell in whole[name]]
        for name in whole.columns if name != "\0stay"
    }  # fmt: skip
    return Outcomes(whole["\0stay"].tolist(), columns)


def numbers(cells: list[str | None]) -> Array:
    """Cells as numbers, NaN where they are empty or words."""
    found = np.full(len(cells), np.nan)
    for n, cell in enumerate(cells):
        try:
            found[n] = float(cell) if cell is not None else np.nan
        except ValueError:
            continue
    return found
