"""The catalog's tables, as migrations: one is added for each change, none is ever edited."""

from __future__ import annotations

from core.catalog.library import Database, Migrations

migrations = Migrations("isocenter")
SCHEMA_VERSION = 6


@migrations()
def m001_first_tables(db: Database) -> None:
    db.table("runs").create(
        {
            "id": str, "name": str, "task": str, "state": str, "config": str, "data_path": str, "folder": str,
            "created": float, "started": float, "ended": float, "heartbeat": float, "pid": int, "host": str,
            "epoch": int, "epochs": int, "summary": str, "error": str,
        },
        pk="id",
    )  # fmt: skip
    db.table("metric_keys").create({"id": int, "key": str}, pk="id", not_null={"key"})
    db.table("metric_keys").create_index(["key"], unique=True)
    db.table("metrics").create(
        {"id": int, "run": str, "key": int, "step": int, "epoch": int, "value": float, "time": float},
        pk="id",
        foreign_keys=[("run", "runs", "id"), ("key", "metric_keys", "id")],
    )
    db.table("metrics").create_index(["run", "key", "step"])
    db.table("events").create(
        {"id": int, "run": str, "time": float, "level": str, "message": str},
        pk="id",
        foreign_keys=[("run", "runs", "id")],
    )
    db.table("events").create_index(["run"])
    db.table("checkpoints").create(
        {
            "id": int, "run": str, "kind": str, "path": str, "sha256": str, "size": int, "epoch": int, "step": int,
            "metric": str, "value": float, "time": float,
        },
        pk="id",
        foreign_keys=[("run", "runs", "id")],
    )  # fmt: skip
    db.table("checkpoints").create_index(["run", "kind"])
    db.table("datasets").create(
        {"id": int, "path": str, "layout": str, "cases": int, "checked": float, "findings": str}, pk="id"
    )
    db.table("datasets").create_index(["path"], unique=True)
    db.table("predictions").create(
        {
            "id": int, "scan": str, "model": str, "model_version": str, "output": str, "sha256": str, "structures": str,
            "findings": str, "seconds": float, "device": str, "time": float,
        },
        pk="id",
    )  # fmt: skip
    db.table("models").create(
        {"name": str, "version": str, "folder": str, "run": str, "sha256": str, "time": float}, pk=("name", "version")
    )
    db.conn.execute("PRAGMA user_version = 1")


@migrations()
def m002_series_of_predictions(db: Database) -> None:
    """A DICOM folder holds several series: a prediction says which it was made on."""
    db.table("predictions").add_column("series", str, not_null_default="")
    db.conn.execute("PRAGMA user_version = 2")


@migrations()
def m003_folds(db: Database) -> None:
    """A cross-validation is a group of runs on the same folds."""
    db.table("run_groups").create(
        {
            "id": str, "name": str, "created": float, "data_path": str, "config": str, "plan": str, "folds": str,
            "fingerprint": str,
        },
        pk="id",
    )  # fmt: skip
    db.table("runs").add_column("run_group", str)
    db.table("runs").add_column("fold", int)
    db.conn.execute("PRAGMA user_version = 3")


@migrations()
def m004_evaluations(db: Database) -> None:
    """How a model did on labelled cases: `result` is what `evaluate` answers, `files` each case's files."""
    db.table("evaluations").create(
        {
            "id": int, "model": str, "run": str, "data": str, "split": str, "result": str, "files": str,
            "seconds": float, "time": float,
        },
        pk="id",
    )  # fmt: skip
    db.conn.execute("PRAGMA user_version = 4")


@migrations()
def m005_predictions_of_every_task(db: Database) -> None:
    """Not only scans are predicted: `answer` says in words what came out, `given` what was put in beside the file."""
    db.table("predictions").add_column("task", str, not_null_default="segmentation")
    db.table("predictions").add_column("answer", str, not_null_default="")
    db.table("predictions").add_column("given", str, not_null_default="{}")
    db.conn.execute("PRAGMA user_version = 5")


@migrations()
def m006_numbers_of_predictions_are_given_once(db: Database) -> None:
    """Predictions can be deleted; what still names one of them must not be handed another in its place."""
    db.conn.execute(
        """
        CREATE TABLE numbered (
            id INTEGER PRIMARY KEY AUTOINCREMENT, scan TEXT, model TEXT, model_version TEXT, output TEXT, sha256 TEXT,
            structures TEXT, findings TEXT, seconds FLOAT, device TEXT, time FLOAT, series TEXT NOT NULL DEFAULT '',
            task TEXT NOT NULL DEFAULT 'segmentation', answer TEXT NOT NULL DEFAULT '', given TEXT NOT NULL DEFAULT '{}'
        )
        """
    )
    every = (
        "id, scan, model, model_version, output, sha256, structures, findings, seconds, device, time, series, task,"
        " answer, given"
    )
    db.conn.execute(f"INSERT INTO numbered ({every}) SELECT {every} FROM predictions")
    db.conn.execute("DROP TABLE predictions")
    db.conn.execute("ALTER TABLE numbered RENAME TO predictions")
    db.conn.execute("PRAGMA user_version = 6")
