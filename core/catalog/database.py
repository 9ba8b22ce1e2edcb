"""Opening the catalog safely: journal mode, schema, permissions, and errors a person can act on."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from core.catalog.library import Database
from core.catalog.schema import SCHEMA_VERSION, migrations
from core.errors import CatalogError
from core.paths import ensure_home, home

log = logging.getLogger(__name__)
T = TypeVar("T")

BUSY_SECONDS = 20
ASIDE = "`isocenter runs recover` sets it aside and takes in the run folders, with their checkpoints, again."


def catalog_path() -> Path:
    return home() / "catalog.sqlite"


def connect(path: Path | None = None) -> Database:
    """Open (and create or migrate) the catalog. One connection belongs to one thread.

    Raises CatalogError for a home that cannot be written, a damaged file, or one of a newer program.
    """
    if path is None:
        ensure_home()
        path = catalog_path()
    try:
        fresh = not path.exists()
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        if fresh:
            os.chmod(path, 0o600)
        # SQLite before 3.51.3 can corrupt a WAL, and WAL fails on network shares: the rollback journal does neither.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            connection.close()
            raise CatalogError(
                f"the catalog was written by a newer Isocenter (schema {version}, this one knows {SCHEMA_VERSION})",
                where=path,
                mend="Update the program, or set ISOCENTER_HOME to another folder.",
            )
        db = Database(connection, execute_plugins=False)
        if version < SCHEMA_VERSION:
            # Two programs may start at once: the second waits here and then finds nothing to do.
            with immediate(connection):
                migrations.apply(db)
        return db
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise as_catalog_error(error, path) from error


def plain(text: str) -> Any:
    """What a column holds as JSON. Raises CatalogError where it was damaged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise CatalogError(
            f"a row of the catalog is damaged ({error})", where=catalog_path(), mend="The others are not touched by it."
        ) from error


def readable(rows: Iterable[dict[str, Any]], make: Callable[[dict[str, Any]], T], what: str) -> list[T]:
    """What rows of a list hold. One that is damaged is left out and told, since the others are as good as before."""
    made = []
    for row in rows:
        try:
            made.append(make(row))
        except (CatalogError, TypeError, KeyError, AttributeError):
            _tell_once(f"The {what} {row['id']} is damaged in the catalog ({catalog_path()}) and left out.")
    return made


@cache
def _tell_once(text: str) -> None:
    """The window asks for its lists several times a second."""
    log.warning(text)


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction that takes its lock first, so that it waits for others rather than failing half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def as_catalog_error(error: Exception, path: Path) -> CatalogError:
    """The message for what SQLite or the file system said."""
    text = str(error)
    if "full" in text or getattr(error, "errno", None) == 28:
        return CatalogError("the disk is full, so the catalog cannot be written", where=path, mend="Free some space.")
    if "malformed" in text or "not a database" in text or isinstance(error, UnicodeDecodeError):
        return CatalogError(
            f"the catalog is damaged ({text})",
            where=path,
            mend=ASIDE,
        )
    if "locked" in text:
        return CatalogError(
            "another program holds the catalog", where=path, mend="Close the other program, then try again."
        )
    return CatalogError(
        f"the catalog cannot be opened or written ({text})",
        where=path,
        mend="Check that the folder exists and is writable.",
    )
