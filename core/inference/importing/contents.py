"""What a folder or a .zip from elsewhere holds, read file by file under caps: nothing is extracted, nothing is run."""

from __future__ import annotations

import json
import lzma
import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from core.archives import opened_zip
from core.errors import ModelError

MAX_FILES = 20_000
MAX_TEXT_BYTES = 20_000_000
MAX_EXPANSION = 50  # trained weights hardly compress: what unfolds to many times its archive is a bomb
_DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError,
            NotImplementedError)  # fmt: skip


class Contents:
    """The files of a model, named by their path inside, with slashes."""

    def __init__(self, path: Path) -> None:
        """Raises ModelError where `path` is no folder or archive, or names files outside of itself."""
        self.path = path
        self._members: dict[str, zipfile.ZipInfo] = {}
        if not path.exists():
            raise ModelError("there is no such file or folder", where=path, mend="Check the name and the folder.")
        try:
            names = self._of_folder() if path.is_dir() else self._of_archive()
        except _DAMAGED as error:
            mend = "Give the model's folder, or a .zip of it."
            raise ModelError(f"not readable as a model ({error})", where=path, mend=mend) from None
        self.names = sorted(names)

    def _of_folder(self) -> list[str]:
        names = []
        for folder, _, files in os.walk(self.path):  # links to folders are not followed
            names += [(Path(folder) / file).relative_to(self.path).as_posix() for file in files]
            self._limit(len(names))
        return names

    def _of_archive(self) -> list[str]:
        with opened_zip(self.path) as archive:
            self._limit(len(archive.infolist()))
            for member in archive.infolist():
                name, shown = member.filename, repr(member.filename[:80])
                parts = PurePosixPath(name.replace("\\", "/")).parts
                if not parts or parts[0].startswith("/") or ".." in parts or ":" in parts[0]:
                    raise ModelError(f"the archive names a file outside of itself ({shown})", where=self.path)
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise ModelError(f"the archive holds a link ({shown})", where=self.path)
                if name in self._members:
                    raise ModelError(f"the archive holds {shown} twice", where=self.path)
                if not member.is_dir():
                    self._members[name] = member
        return list(self._members)

    def _limit(self, count: int) -> None:
        if count > MAX_FILES:
            raise ModelError(f"more than {MAX_FILES:,} files, so this is no single model", where=self.path)

    def find(self, ending: str) -> list[str]:
        """The files whose path ends so, the one nearest to the top first.

        An ending is whole names: "plans.json" does not find "my_plans.json".
        """
        found = [name for name in self.names if name == ending or name.endswith(f"/{ending}")]
        return sorted(found, key=lambda name: (name.count("/"), name))

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes. Raises ModelError where it is a link, damaged, or larger than `most` bytes."""
        try:
            if self._members:
                # The stated size is not trusted.
                most = min(most, MAX_EXPANSION * self.path.stat().st_size)
                with opened_zip(self.path) as archive, archive.open(self._members[name]) as stream:
                    content = stream.read(most + 1)
            else:
                file = self.path / name
                if file.is_symlink() or not file.is_file():
                    raise ModelError(f"{name} is not a plain file", where=self.path)
                with file.open("rb") as stream:
                    content = stream.read(most + 1)
        except _DAMAGED as error:
            raise ModelError(f"{name} cannot be read ({error})", where=self.path) from None
        if len(content) > most:
            raise ModelError(f"{name} is larger than {most:,} bytes", where=self.path)
        return content

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file that holds an object. Raises ModelError where it does not."""
        try:
            tree = json.loads(self.read(name, MAX_TEXT_BYTES).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{name} is not readable ({error})", where=self.path) from None
        if not isinstance(tree, dict):
            raise ModelError(f"{name} is not an object", where=self.path)
        return tree
