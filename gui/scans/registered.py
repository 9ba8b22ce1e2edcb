"""A scan that was registered to another: how it was made, and its folder, which lives as long as it is open."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.paths import ensure_home, home

if TYPE_CHECKING:
    from core.imaging.registration.register import Registration

FOLDER = "registered"  # below the home folder


@dataclass(frozen=True, eq=False)
class Registered:
    """What stands behind a registered scan, and the folder that goes away with it."""

    found: Registration
    moving_name: str
    folder: Path

    def discard(self) -> None:
        # On Windows a file that is still mapped stays until the program ends.
        shutil.rmtree(self.folder, ignore_errors=True)


def new_folder() -> Path:
    """A folder for a registered scan, named by this process. Raises CatalogError."""
    above = ensure_home() / FOLDER
    above.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=above))


def remove_left_over() -> None:
    """Remove the registered scans of programs that ended without doing so."""
    above = home() / FOLDER
    for folder in above.iterdir() if above.is_dir() else ():
        if not _in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _in_use(folder: Path) -> bool:
    """Whether the process that a folder is named by still runs (a later process may have got its number)."""
    import psutil

    try:
        return bool(psutil.Process(int(folder.name.split("-")[0])).create_time() <= folder.stat().st_ctime + 1)
    except (ValueError, OSError, psutil.Error):
        return False
