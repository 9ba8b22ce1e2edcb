"""A run's whole record as plain values: exported as JSON or CSV, kept in the trash, put back from there.

Evaluations and predictions wait in the same trash: `core.catalog.trash`.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.catalog.catalog import Catalog
from core.errors import CatalogError
from core.files import write_text
from core.kept import kept_settings
from core.paths import home, runs_folder

TABLES = ("events", "checkpoints")
TRASH_DAYS = 30


def record(catalog: Catalog, run_id: str) -> dict[str, Any]:
    """All rows of a run: `run`, `metrics` (key, step, epoch, value, time), `events`, `checkpoints`."""
    run = catalog.run(run_id)
    rows: dict[str, Any] = {"run": catalog.row("runs", run.id)}
    rows["metrics"] = [
        [point.key, point.step, point.epoch, point.value, point.time] for point in catalog.metrics(run.id)
    ]
    for table in TABLES:
        rows[table] = catalog._rows(f"SELECT * FROM {table} WHERE run = ? ORDER BY id", [run.id])
    return rows


def as_json(catalog: Catalog, run_ids: list[str]) -> str:
    """Runs with their settings, metrics, events and checkpoints; a value that is no number is null."""
    runs = []
    for run_id in run_ids:
        rows = record(catalog, run_id)
        columns = ("key", "step", "epoch", "value", "time")
        rows["metrics"] = [dict(zip(columns, point, strict=True)) for point in rows["metrics"]]
        run = catalog.run(run_id)
        with suppress(CatalogError):  # damaged settings are given as they are
            rows["run"]["config"] = kept_settings(run)
        rows["run"]["summary"] = run.summary
        runs.append(rows)
    return json.dumps({"runs": _finite(runs)}, indent=1, allow_nan=False)


def as_csv(catalog: Catalog, run_ids: list[str]) -> str:
    """All metric points in one long table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "name", "key", "step", "epoch", "value", "time"])
    for run_id in run_ids:
        run = catalog.run(run_id)
        # A name that begins like a formula would be run by a spreadsheet.
        name = f"'{run.name}" if run.name[:1] in "=+-@" else run.name
        for point in catalog.metrics(run.id):
            writer.writerow([run.id, name, point.key, point.step, point.epoch, repr(point.value), point.time])
    return text.getvalue()


def trash_folder() -> Path:
    return home() / "trash"


def to_trash(catalog: Catalog, run_id: str) -> None:
    """Take a run out of the catalog; its folder and rows wait in the trash. Older trash than a month is removed.

    Raises CatalogError for a run that is going on.
    """
    run = catalog.run(run_id)
    if run.live:
        raise CatalogError(f"{run.name} is {run.state}", mend="Stop it first, then delete it.")
    empty_old()
    place = trash_folder() / run.id
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / "record.json", json.dumps(record(catalog, run.id)))
    if run.folder.parent == runs_folder() and run.folder.is_dir():  # never a folder that a damaged row names
        move(run.folder, place / "files")
    catalog.delete_run(run.id)


def from_trash(catalog: Catalog, run_id: str) -> None:
    """Put a deleted run back, with its folder. Raises CatalogError if the trash does not hold it."""
    place = trash_folder() / run_id
    try:
        rows = json.loads((place / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogError(f"the run {run_id!r} is not in the trash", where=place) from error
    if (place / "files").is_dir():
        move(place / "files", Path(rows["run"]["folder"]))
    put_back(catalog, rows)
    shutil.rmtree(place, ignore_errors=True)


def put_back(catalog: Catalog, rows: dict[str, Any]) -> None:
    """Enter a run whose `record` is given. Raises CatalogError where there is one of its id, which stays as it is."""
    with catalog._writing() as connection:
        insert_row(connection, "runs", rows["run"])
        for table in TABLES:
            for row in rows[table]:
                insert_row(connection, table, {name: value for name, value in row.items() if name != "id"})
    catalog.add_metrics(rows["run"]["id"], [tuple(point) for point in rows["metrics"]])
    catalog.update_run(rows["run"]["id"], heartbeat=rows["run"]["heartbeat"])


def insert_row(connection: Any, table: str, row: dict[str, Any]) -> None:
    """Put a row back as it was."""
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def move(source: Path, target: Path) -> None:
    """Move a file or folder within the home folder. Raises CatalogError where it cannot be."""
    try:
        os.replace(source, target)
    except OSError as error:
        raise CatalogError(
            f"the folder cannot be moved ({error.strerror or error})",
            where=source,
            mend="Close what uses it, then try again.",
        ) from error


def empty_old() -> None:
    """Remove for good what has been in the trash for a month."""
    for place in trash_folder().glob("*/record.json"):
        if time.time() - place.stat().st_mtime > TRASH_DAYS * 86_400:
            shutil.rmtree(place.parent, ignore_errors=True)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
