"""Where things live: the user's home folder for data, and the resources that come with the program."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import platformdirs

from core.errors import CatalogError

RESOURCES = Path(__file__).resolve().parent.parent / "resources"


def home() -> Path:
    """`ISOCENTER_HOME`, or the platform's data folder for the program. Not created here."""
    chosen = os.environ.get("ISOCENTER_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_data_dir("isocenter", False))


def ensure_home() -> Path:
    """Create the home folder (readable by its owner only) and return it.

    Raises CatalogError where it cannot be created or written.
    """
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".write-probe-{os.getpid()}-{threading.get_ident()}"  # two threads may ask at once
        probe.write_bytes(b"isocenter")
        probe.unlink()
    except OSError as error:
        raise CatalogError(
            f"the data folder cannot be written ({error.strerror or error})",
            where=folder,
            mend="Free some space or make it writable, or set ISOCENTER_HOME to another folder.",
        ) from error
    return folder


def runs_folder() -> Path:
    return home() / "runs"


def models_folder() -> Path:
    return home() / "models"


def predictions_folder() -> Path:
    return home() / "predictions"


def evaluations_folder() -> Path:
    return home() / "evaluations"
