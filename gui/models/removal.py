"""Removing a model so that it can be brought back until the window closes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from core.errors import IsocenterError
from core.inference.package import AnyPackage
from core.paths import models_folder


class Removal:
    """A package set aside under a hidden name, which lists leave out."""

    def __init__(self, package: AnyPackage) -> None:
        """Raises IsocenterError where the package comes with the program or its folder may not be moved."""
        if package.bundled or package.folder.parent.resolve() != models_folder().resolve():
            raise IsocenterError("this model comes with the program and cannot be removed", where=package.folder)
        self.package = package
        self.row: dict[str, Any] | None = None  # what the catalog held of it
        self._aside = package.folder.with_name(f".removed-{os.getpid()}-{package.folder.name}")
        _move(package.folder, self._aside)

    def undo(self) -> None:
        """Bring it back. Raises IsocenterError where another of its name has come meanwhile."""
        _move(self._aside, self.package.folder)

    def finish(self) -> None:
        """Delete it for good."""
        shutil.rmtree(self._aside, ignore_errors=True)


def _move(folder: Path, to: Path) -> None:
    try:
        if to.exists():
            raise FileExistsError(None, "something of that name is there")
        folder.rename(to)
    except OSError as error:
        raise IsocenterError(
            f"the model's folder cannot be moved ({error.strerror or error})", where=folder, mend="Close what uses it."
        ) from error
