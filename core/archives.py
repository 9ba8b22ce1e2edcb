"""Archives of strangers: what one of them lists is bounded before it is read, and what is read of it too."""

from __future__ import annotations

import bz2
import gzip
import os
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_END, _END_BYTES, _COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
_LOCATOR, _LOCATOR_BYTES, _END64, _END64_BYTES = b"PK\x06\x07", 20, b"PK\x06\x06", 56
MOST_LIST_BYTES = 8 * 2**20  # of a .zip: more than 60,000 files
_MOST_HEADER = 2**20  # of a member in a .tar, with its long name


def check_list(file: IO[bytes], most: int = MOST_LIST_BYTES) -> None:
    """Raise BadZipFile for a .zip whose list of files is longer than `most` bytes; the place in the file is kept.

    zipfile makes an object of each entry, a hundred times the size of the entry itself, before anyone can count them.
    """
    at = file.tell()
    size = file.seek(0, os.SEEK_END)
    start = max(size - _END_BYTES - _COMMENT_BYTES - _LOCATOR_BYTES - _END64_BYTES, 0)
    file.seek(start)
    tail = file.read()
    file.seek(at)
    end = tail.rfind(_END)
    if end < 0 or end + _END_BYTES > len(tail):
        return  # no archive, which zipfile tells
    listed = struct.unpack_from("<L", tail, end + 12)[0]
    long_end = end - _LOCATOR_BYTES - _END64_BYTES
    if long_end >= 0 and tail.startswith(_LOCATOR, end - _LOCATOR_BYTES) and tail.startswith(_END64, long_end):
        listed = struct.unpack_from("<Q", tail, long_end + 40)[0]
    if listed > most:
        raise zipfile.BadZipFile("it lists too many files")


@contextmanager
def opened_zip(path: Path, most: int = MOST_LIST_BYTES) -> Iterator[zipfile.ZipFile]:
    """A .zip to be read. Raises BadZipFile where it is none or lists too much, OSError where it cannot be read."""
    with path.open("rb") as file:
        check_list(file, most)
        with zipfile.ZipFile(file) as archive:
            yield archive


class _Bounded:
    """A stream of which no more is read at once than is expected."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.most = stream, _MOST_HEADER
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.most:
            raise tarfile.ReadError("a name in it is too long")
        return self.stream.read(size)


@contextmanager
def opened_tar(path: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, Any]]]:
    """The members of a .tar, plain or by gzip or bzip2, each with a function that reads its content.

    tarfile reads a long name whole, whatever its size; here that is refused. Raises what the three libraries raise.
    """
    with path.open("rb") as file:
        begins = file.read(3)
        file.seek(0)
        stream: Any = file
        if begins.startswith(b"\x1f\x8b"):
            stream = gzip.GzipFile(fileobj=file)
        elif begins == b"BZh":
            stream = bz2.BZ2File(file)
        bounded = _Bounded(stream)
        with tarfile.open(fileobj=bounded, mode="r:") as archive:  # type: ignore[call-overload]

            def content(member: tarfile.TarInfo) -> bytes:
                opened = archive.extractfile(member)
                bounded.most = max(_MOST_HEADER, member.size)
                try:
                    return b"" if opened is None else opened.read(member.size)
                finally:
                    bounded.most = _MOST_HEADER

            yield ((member, content) for member in archive)
