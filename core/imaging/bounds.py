"""How much a scan may declare before it is refused: checked before anything is allocated."""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path

import psutil

from core.errors import UnreadableScan

_HARD_LIMIT = 8 * 2**30


@cache
def size_limit() -> int:
    """The most bytes of voxels one scan may have: 8 GiB, or half of the memory where that is less."""
    return int(min(_HARD_LIMIT, psutil.virtual_memory().total // 2))


def check_size(declared_bytes: int, where: Path) -> None:
    """Raise UnreadableScan where a scan declares more bytes of voxels than this computer should hold."""
    if declared_bytes > size_limit():
        raise UnreadableScan(
            f"the header declares {readable_size(declared_bytes)} of voxels, "
            f"more than the limit of {readable_size(size_limit())}",
            where=where,
            mend="If the scan really is that large, crop or downsample it first; otherwise its header is damaged.",
        )


def readable_size(count: int) -> str:
    """Bytes for people.

    >>> readable_size(1536), readable_size(3 * 2**30)
    ('1.5 KiB', '3.0 GiB')
    """
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"


def regular_size(path: Path) -> int:
    """The size of a regular file, in bytes.

    Raises UnreadableScan for a missing file and for anything that is not a plain file (a pipe, a device), which
    would block or never end.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadableScan("there is no such file", where=path, mend="Check the name and the folder.") from None
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from None
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableScan("this is not a plain file", where=path, mend="Choose a scan's file or a DICOM folder.")
    if not os.access(path, os.R_OK):
        raise UnreadableScan("the file may not be read", where=path, mend="Ask its owner for permission to read it.")
    return status.st_size


def unreadable(error: BaseException, where: Path) -> UnreadableScan:
    """The error a person sees for a failed system call."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UnreadableScan(
        f"the file cannot be read ({reason})", where=where, mend="Check that the disk or network is there."
    )
