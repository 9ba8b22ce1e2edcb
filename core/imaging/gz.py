"""Gzip and zlib streams: isal where it is installed (four times as fast), else the standard library.

Both check the sum at the end of a stream.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, Any

_gzip: Any
_zlib: Any
try:
    from isal import igzip, isal_zlib

    _gzip, _zlib, _FAST_LEVEL = igzip, isal_zlib, 1
except ImportError:
    _gzip, _zlib, _FAST_LEVEL = gzip, zlib, 3

MAGIC = b"\x1f\x8b"

# What a damaged stream raises, in either library.
ERRORS: tuple[type[Exception], ...] = (EOFError, zlib.error, _zlib.error, gzip.BadGzipFile)

# Deflate cannot shrink more than this, so a stream that declares more is cut or lies.
MOST_RATIO = 1032


def reader(stream: IO[bytes]) -> Any:
    """A readable binary stream of what an open gzip file holds."""
    return _gzip.GzipFile(fileobj=stream, mode="rb")


def writer(stream: IO[bytes]) -> Any:
    """A writable gzip stream; the same bytes give the same file, as no time or name is stored."""
    return _gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=_FAST_LEVEL, mtime=0)


def compressor() -> Any:
    """An object that makes a zlib stream (`compress`, then `flush`)."""
    return _zlib.compressobj(_FAST_LEVEL)


class ZlibReader(io.RawIOBase):
    """What an open file holds as one zlib or gzip stream; EOFError where it ends too early."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inflate = _zlib.decompressobj(47)  # the window of 32 KiB; either kind of header

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._inflate.eof:
            data = self._inflate.unconsumed_tail or self._stream.read(2**16)
            piece = self._inflate.decompress(data, len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
            if not data:
                raise EOFError("the stream ends before its checksum")
        return 0
