"""A catalog that is damaged, told from one that is sound, and set aside so that a new one can begin."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from core.catalog.database import as_catalog_error, catalog_path
from core.errors import CatalogError
from core.paths import ensure_home


def is_damaged(path: Path) -> bool:
    """Whether SQLite finds the file damaged. Raises CatalogError where it cannot be looked at, as when it is held."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.OperationalError as error:  # held, or not permitted
        raise as_catalog_error(error, path) from error
    except (sqlite3.Error, UnicodeDecodeError):
        return True


def set_aside_if_damaged() -> Path | None:
    """Move a damaged catalog out of the way of a new one, in the same folder. Returns where it lies now, or None."""
    ensure_home()
    path = catalog_path()
    if not is_damaged(path):
        return None
    aside = path.with_name(f"catalog.damaged-{time.strftime('%Y%m%d-%H%M%S')}.sqlite")
    try:
        if aside.exists():
            raise FileExistsError(17, "one was set aside this second")
        os.replace(path, aside)
        journal = path.with_name(f"{path.name}-journal")
        if journal.exists():  # of the damaged one: it must not be played back into the new one
            os.replace(journal, aside.with_name(f"{aside.name}-journal"))
    except OSError as error:
        raise CatalogError(
            f"the damaged catalog cannot be set aside ({error.strerror or error})", where=path,
            mend="Close what uses it, then try again.",
        ) from error  # fmt: skip
    return aside
