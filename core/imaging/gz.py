"""Gzip streams: isal where it is installed (four times as fast), else the standard library; both check the CRC."""

from __future__ import annotations

import gzip
import zlib
from typing import IO, Any

_gzip: Any
_damaged: Any
try:
    from isal import igzip, isal_zlib

    _gzip, _damaged, _FAST_LEVEL = igzip, isal_zlib.error, 1
except ImportError:
    _gzip, _damaged, _FAST_LEVEL = gzip, zlib.error, 3

MAGIC = b"\x1f\x8b"

# What a damaged stream raises, in either library.
ERRORS: tuple[type[Exception], ...] = (EOFError, zlib.error, _damaged, gzip.BadGzipFile)

# Deflate cannot shrink more than this, so a stream that declares more is cut or lies.
MOST_RATIO = 1032


def reader(stream: IO[bytes]) -> Any:
    """A readable binary stream of what an open gzip file holds."""
    return _gzip.GzipFile(fileobj=stream, mode="rb")


def writer(stream: IO[bytes]) -> Any:
    """A writable gzip stream; the same bytes give the same file, as no time or name is stored."""
    return _gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=_FAST_LEVEL, mtime=0)
