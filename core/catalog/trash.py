"""Rows of the catalog that wait in the trash with their files, and are put back from there: evaluations, predictions.

Runs, which are rows of several tables, wait in the same trash: `core.catalog.records`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from core.catalog.catalog import Catalog
from core.catalog.records import empty_old, insert_row, move, trash_folder
from core.errors import CatalogError
from core.files import write_text


def row_to_trash(catalog: Catalog, table: str, id: int, files: Iterable[Path]) -> str:
    """Take a row of a table that has ids and times out of the catalog; it and these files wait in the trash.

    Returns its name there. Older trash than a month is removed. Raises CatalogError where there is no such row, or a
    file cannot be moved.
    """
    empty_old()
    row = catalog.row(table, id)
    place = trash_folder() / f"{table}-{row['id']}-{round(row['time'] * 1000)}"  # ids are given again, times are not
    place.mkdir(parents=True, exist_ok=True)
    moved = {f"{number}{path.name}": str(path) for number, path in enumerate(sorted(set(files))) if path.is_file()}
    write_text(place / "record.json", json.dumps({"row": row, "files": moved}))
    for name, path in moved.items():
        move(Path(path), place / name)
    with catalog._writing() as connection:
        connection.execute(f"DELETE FROM {table} WHERE id = ?", [row["id"]])
    return place.name


def row_from_trash(catalog: Catalog, table: str, name: str) -> int:
    """Put a deleted row back, with its files. Returns its id: its own, or where that is taken a new one.

    Raises CatalogError if the trash does not hold it.
    """
    place = trash_folder() / Path(name).name
    try:
        record = json.loads((place / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogError("it is not in the trash any more", where=place) from error
    for kept, path in record["files"].items():
        if (place / kept).is_file() and not Path(path).exists():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            move(place / kept, Path(path))
    row = record["row"]
    with catalog._writing() as connection:
        if connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", [row["id"]]).fetchone():
            row["id"] = connection.execute(f"SELECT max(id) + 1 FROM {table}").fetchone()[0]
        insert_row(connection, table, row)
    shutil.rmtree(place, ignore_errors=True)
    return int(row["id"])
