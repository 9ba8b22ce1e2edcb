"""Writing files so that a crash, a full disk or a power cut leaves the old file or the new one, never a torn one."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from core.errors import IsocenterError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; when the block ends well, it becomes `path`, durably.

    The temporary name keeps the file's suffixes (`.nii.gz`), since writers choose a format by them. Raises
    IsocenterError where the folder cannot be written or the disk is full.
    """
    part = path.with_name(f".part-{os.getpid()}-{path.name[-200:]}")  # the end, since it holds the suffixes
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise _unwritable(error, path) from error
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes its name only when all of it is safely on the disk; errors as `replacing`."""
    with replacing(path) as part, part.open("wb") as file:
        yield file


def _unwritable(error: OSError, path: Path) -> IsocenterError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return IsocenterError("the disk is full", where=path, mend="Free some space, or choose another folder.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return IsocenterError("the folder may not be written", where=path.parent, mend="Choose another folder.")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return IsocenterError("there is no such folder", where=path.parent, mend="Create it, or choose another one.")
    reason = error.strerror or str(error)
    return IsocenterError(f"the file cannot be written ({reason})", where=path, mend="Choose another folder.")


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_unwritable(folder: Path) -> None:
    """Raise IsocenterError for a folder of results that plainly cannot be written or made. It is not made here."""
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:  # such as a name that is too long
        raise _no_folder(folder, error.strerror or str(error)) from error
    if not there.is_dir():
        raise _no_folder(folder, f"{there.name} is not a folder")
    if not os.access(there, os.W_OK):
        raise _no_folder(folder, "not permitted")


def make_folder(folder: Path) -> None:
    """Make a folder for results. Raises IsocenterError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_folder(folder, error.strerror or str(error)) from error


def _no_folder(folder: Path, why: str) -> IsocenterError:
    mend = "Choose another folder, or free some space."
    return IsocenterError(f"the folder for the result cannot be written ({why})", where=folder, mend=mend)


def write_bytes(path: Path, content: bytes) -> None:
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode("utf-8"))


def is_unicode(name: str) -> bool:
    """Whether a name or path is text: on Linux a name is any bytes, such as those of an old Latin-1 disk.

    >>> is_unicode("käse.nii"), is_unicode(os.fsdecode(b"k\\xe4se.nii"))
    (True, False)
    """
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
