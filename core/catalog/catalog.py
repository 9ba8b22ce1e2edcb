"""The catalog's questions and answers: what the engine writes and what the window and the command line read."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from core.catalog.database import as_catalog_error, catalog_path, connect, immediate, readable
from core.catalog.rows import CheckpointRow, EventRow, MetricPoint, PredictionRow, RunRow
from core.errors import CatalogError


class Catalog:
    """An open catalog. Use one per thread; close it or use it as a context manager."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or catalog_path()
        self._db = connect(path)

    def close(self) -> None:
        self._db.conn.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with immediate(self._db.conn) as connection:
                yield connection
        except sqlite3.Error as error:
            raise as_catalog_error(error, self.path) from error

    def _rows(self, sql: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
        try:
            return list(self._db.query(sql, list(values)))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise as_catalog_error(error, self.path) from error

    def _insert(self, table: str, row: Mapping[str, Any], *, verb: str = "INSERT") -> int:
        columns = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        with self._writing() as connection:
            cursor = connection.execute(f'{verb} INTO "{table}" ({columns}) VALUES ({marks})', list(row.values()))
            return int(cursor.lastrowid or 0)

    def row(self, table: str, id: str | int) -> dict[str, Any]:
        """A row of a table as it is stored, to be kept elsewhere. Raises CatalogError if there is none of that id."""
        rows = self._rows(f"SELECT * FROM {table} WHERE id = ?", [id])
        if not rows:
            raise CatalogError(f"there is no row {id!r} in {table}")
        return rows[0]

    # ---- runs ---------------------------------------------------------------------------------------------------

    def add_run(
        self, *, id: str, name: str, task: str, config: str, data_path: str, folder: Path, epochs: int,
        run_group: str | None = None, fold: int | None = None,
    ) -> None:  # fmt: skip
        """Add a queued run; `run_group` and `fold` where it is one of a cross-validation."""
        self._insert(
            "runs",
            {
                "id": id, "name": name, "task": task, "state": "queued", "config": config, "data_path": data_path,
                "folder": str(folder), "created": time.time(), "epoch": 0, "epochs": epochs, "summary": "{}",
                "pid": os.getpid(), "host": platform.node(), "heartbeat": time.time(),
                "run_group": run_group, "fold": fold,
            },
        )  # fmt: skip

    def update_run(self, id: str, **changes: Any) -> None:
        """Change columns of a run; `summary` may be a dict."""
        if "summary" in changes:
            changes["summary"] = json.dumps(changes["summary"])
        sets = ", ".join(f'"{name}" = ?' for name in changes)
        with self._writing() as connection:
            connection.execute(f"UPDATE runs SET {sets} WHERE id = ?", [*changes.values(), id])

    def run(self, id_or_name: str) -> RunRow:
        """The run of that id, or the newest of that name. Raises CatalogError if there is none."""
        rows = self._rows(
            "SELECT * FROM runs WHERE id = ? OR name = ? ORDER BY id = ? DESC, created DESC LIMIT 1", [id_or_name] * 3
        )
        if not rows:
            raise CatalogError(f"there is no run {id_or_name!r}", mend="`isocenter runs list` shows them.")
        return RunRow.read(rows[0])

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        return [RunRow.read(row) for row in self._rows("SELECT * FROM runs ORDER BY created DESC")]

    def delete_run(self, id: str) -> None:
        """Forget a run with its metrics, events and checkpoints. Its folder is the caller's to remove."""
        with self._writing() as connection:
            for table in ("metrics", "events", "checkpoints"):
                connection.execute(f"DELETE FROM {table} WHERE run = ?", [id])
            connection.execute("DELETE FROM runs WHERE id = ?", [id])

    def mark_interrupted(self) -> list[str]:
        """Give runs whose process is gone the state `interrupted`; returns their ids. Call it at start."""
        dead = [run for run in self.runs() if run.live and run.host == platform.node() and not _alive(run)]
        return [run.id for run in dead if self._mark_interrupted(run)]

    def _mark_interrupted(self, run: RunRow) -> bool:
        """False where it was marked, or resumed by another process, since it was looked at."""
        with self._writing() as connection:
            marked = connection.execute(
                "UPDATE runs SET state = 'interrupted', ended = ? WHERE id = ? AND state = ? AND pid IS ?",
                [run.heartbeat or time.time(), run.id, run.state, run.pid],
            ).rowcount
        if marked:
            self.add_event(run.id, "warning", "The program ended while this run was going on; it can be resumed.")
        return bool(marked)

    # ---- metrics and events -------------------------------------------------------------------------------------

    def add_metrics(self, run: str, points: Iterable[tuple[str, int, int, float, float]]) -> None:
        """Append (key, step, epoch, value, time) points of a run in one transaction, and beat its heart."""
        points = list(points)
        keys = sorted({point[0] for point in points})
        with self._writing() as connection:
            connection.executemany("INSERT OR IGNORE INTO metric_keys (key) VALUES (?)", [(key,) for key in keys])
            connection.executemany(
                "INSERT INTO metrics (run, key, step, epoch, value, time)"
                " SELECT ?, id, ?, ?, ?, ? FROM metric_keys WHERE key = ?",
                [(run, step, epoch, value, at, key) for key, step, epoch, value, at in points],
            )
            connection.execute("UPDATE runs SET heartbeat = ? WHERE id = ?", [time.time(), run])

    def forget_metrics(self, run: str, *, after_step: int) -> None:
        """Delete the points of a run beyond a step, which are about to be written again; -1: all of them.

        Ids go on growing: the highest one stays, with no run, so that a reader misses nothing of what comes.
        """
        with self._writing() as connection:
            connection.execute(
                "UPDATE metrics SET run = NULL WHERE id = (SELECT max(id) FROM metrics) AND run = ? AND step > ?",
                [run, after_step],
            )
            connection.execute("DELETE FROM metrics WHERE run = ? AND step > ?", [run, after_step])
            connection.execute("DELETE FROM metrics WHERE run IS NULL AND id < (SELECT max(id) FROM metrics)")

    def metrics(
        self, run: str, *, after: int = 0, key: str | None = None, limit: int | None = None
    ) -> list[MetricPoint]:
        """Points of a run in the order they were written, those with an id above `after`, at most `limit`."""
        # CROSS and the plus keep SQLite from sorting all points of the run for each part of them.
        sql = (
            "SELECT m.id, k.key, m.step, m.epoch, m.value, m.time FROM metrics m"
            f" {'' if limit is None else 'CROSS '}JOIN metric_keys k ON k.id = m.key"
            f" WHERE {'' if limit is None else '+'}m.run = ? AND m.id > ?"
        )
        values: list[Any] = [run, after]
        if key is not None:
            sql, values = sql + " AND k.key = ?", [*values, key]
        sql += " ORDER BY m.id"
        if limit is not None:
            sql, values = sql + " LIMIT ?", [*values, limit]
        # SQLite stores NaN as NULL.
        return [
            MetricPoint(**{**row, "value": float("nan") if row["value"] is None else row["value"]})
            for row in self._rows(sql, values)
        ]

    def add_event(self, run: str, level: str, message: str) -> None:
        self._insert("events", {"run": run, "time": time.time(), "level": level, "message": message})

    def events(self, run: str, *, after: int = 0) -> list[EventRow]:
        rows = self._rows(
            "SELECT id, time, level, message FROM events WHERE run = ? AND id > ? ORDER BY id", [run, after]
        )
        return [EventRow(**row) for row in rows]

    # ---- checkpoints --------------------------------------------------------------------------------------------

    def set_checkpoint(
        self, run: str, kind: str, *, path: Path, sha256: str, size: int, epoch: int, step: int,
        metric: str | None = None, value: float | None = None,
    ) -> None:  # fmt: skip
        """Record the run's checkpoint of that kind, in place of the one before."""
        with self._writing() as connection:
            connection.execute("DELETE FROM checkpoints WHERE run = ? AND kind = ?", [run, kind])
            connection.execute(
                "INSERT INTO checkpoints (run, kind, path, sha256, size, epoch, step, metric, value, time)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [run, kind, str(path), sha256, size, epoch, step, metric, value, time.time()],
            )

    def checkpoints(self, run: str) -> list[CheckpointRow]:
        rows = self._rows("SELECT * FROM checkpoints WHERE run = ? ORDER BY kind", [run])
        return [CheckpointRow(**{**row, "path": Path(row["path"])}) for row in rows]

    def checkpoint(self, run: str, kind: str) -> CheckpointRow | None:
        return next((row for row in self.checkpoints(run) if row.kind == kind), None)

    # ---- models, data sets and predictions ----------------------------------------------------------------------

    def add_model(self, *, name: str, version: str, folder: Path, run: str, sha256: str) -> None:
        """Record a published or imported model package; a bundled one needs no row."""
        row = {
            "name": name,
            "version": version,
            "folder": str(folder),
            "run": run,
            "sha256": sha256,
            "time": time.time(),
        }
        self._insert("models", row, verb="INSERT OR REPLACE")

    def remove_model(self, name: str, version: str) -> dict[str, Any] | None:
        """Forget a model package and return the row it had, or None where it had none. Its folder is the caller's."""
        rows = self._rows("SELECT * FROM models WHERE name = ? AND version = ?", [name, version])
        with self._writing() as connection:
            connection.execute("DELETE FROM models WHERE name = ? AND version = ?", [name, version])
        return rows[0] if rows else None

    def restore_model(self, row: Mapping[str, Any]) -> None:
        """Put back a row that `remove_model` returned."""
        self._insert("models", row, verb="INSERT OR REPLACE")

    def models(self) -> list[dict[str, Any]]:
        return self._rows("SELECT * FROM models ORDER BY time DESC")

    def add_dataset(self, *, path: Path, layout: str, cases: int, findings: list[dict[str, str]]) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM datasets WHERE path = ?", [str(path)])
            connection.execute(
                "INSERT INTO datasets (path, layout, cases, checked, findings) VALUES (?, ?, ?, ?, ?)",
                [str(path), layout, cases, time.time(), json.dumps(findings)],
            )

    def datasets(self) -> list[dict[str, Any]]:
        return self._rows("SELECT * FROM datasets ORDER BY checked DESC")

    def add_prediction(
        self, *, scan: Path, model: str, model_version: str, output: Path, sha256: str,
        structures: list[dict[str, Any]], findings: list[dict[str, str]], seconds: float, device: str,
        series: str = "", task: str = "segmentation", answer: str = "", given: Mapping[str, Any] | None = None,
        in_place_of: int | None = None,
    ) -> int:  # fmt: skip
        """Record a prediction and return its id; see `PredictionRow`. in_place_of: an earlier one's, which it takes."""
        return self._insert(
            "predictions",
            {
                **({} if in_place_of is None else {"id": in_place_of}),
                "scan": str(scan), "model": model, "model_version": model_version, "output": str(output),
                "sha256": sha256, "structures": json.dumps(structures), "findings": json.dumps(findings),
                "seconds": seconds, "device": device, "time": time.time(), "series": series,
                "task": task, "answer": answer, "given": json.dumps(dict(given or {})),
            },
            verb="INSERT OR REPLACE",
        )  # fmt: skip

    def predictions(self) -> list[PredictionRow]:
        """All predictions, newest first."""
        return readable(self._rows("SELECT * FROM predictions ORDER BY id DESC"), PredictionRow.read, "prediction")

    def hashes_of(self, output: Path) -> set[str]:
        """What a prediction's file was when it was written, each time."""
        rows = self._rows("SELECT sha256 FROM predictions WHERE output = ?", [str(output.absolute())])
        return {row["sha256"] for row in rows}

    def prediction(self, id: int) -> PredictionRow:
        rows = self._rows("SELECT * FROM predictions WHERE id = ?", [id])
        if not rows:
            raise CatalogError(f"there is no prediction {id}")
        return PredictionRow.read(rows[0])


def _alive(run: RunRow) -> bool:
    """Whether the process that owned the run still runs (a later process may have got its number).

    It was there when the run was last heard of; a resumed run began long before the process that goes on with it.
    """
    if run.pid is None:
        return False
    try:
        began = psutil.Process(run.pid).create_time()
    except psutil.Error:
        return False
    return began <= (run.heartbeat or run.started or run.created) + 1
