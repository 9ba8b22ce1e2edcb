"""The numbers of a scan as they lie in its file: found, bounded and read whole, or refused.

A file of plain numbers is memory-mapped, so nothing is read but its header. Compressed numbers are decoded in one pass
into an array of the size that the header declares, and no further; it can be looked at while it fills.
"""

from __future__ import annotations

import bz2
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging import gz
from core.imaging.bounds import check_size, readable_size, regular_size, unreadable
from core.imaging.partial import Begun, Filling
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]
Encoding = Literal["raw", "gzip", "zlib", "bzip2", "text"]

_PIECE = 4 * 2**20
# So much is decoded before a scan is handed over to be looked at, enough to choose a window from; one that is less
# than twice as long is there as soon as a picture of its beginning would be.
EARLY_BYTES = 16 * 2**20
# What stands before the voxels may be long (whole DICOM headers), but not without end.
_MOST_OFFSET = 256 * 2**20
# Padding after the last voxel that is still taken as harmless.
_MOST_PADDING = 2**20
# Numbers written as text take this much at most, and more of them than this nobody writes so.
_TEXT_BYTES, _MOST_TEXT = 64, 2**24


@dataclass(frozen=True)
class Payload:
    """What a header says about its voxels, after checks.

    start: bytes of the file before the numbers, or before the compressed stream that holds them.
    skip: bytes of that stream before the numbers.
    """

    shape: tuple[int, ...]  # as in the file, the fastest axis first
    dtype: np.dtype[Any]  # with the file's byte order
    encoding: Encoding = "raw"
    start: int = 0
    skip: int = 0

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.itemsize


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, int]]:
    """A plain file and its size; all that a damaged file or disk may raise comes out as UnreadableScan."""
    size = regular_size(path)
    try:
        with path.open("rb") as file:
            yield file, size
    except gz.ERRORS as error:
        raise UnreadableScan(
            f"the compressed data is damaged or cut off ({str(error).rstrip('.') or type(error).__name__})",
            where=path,
            mend="Copy or download the file again.",
        ) from None
    except OSError as error:
        raise unreadable(error, path) from None


def read_payload(
    path: Path, payload: Payload, control: JobControl, begun: Begun | None = None
) -> tuple[Array, list[Finding]]:
    """The numbers, flat in file order, in the file's byte order. Raises UnreadableScan where they are not all there.

    begun: called once with the numbers of a long compressed file while they are still being decoded.
    """
    check_size(payload.nbytes, path)
    if payload.start + payload.skip > _MOST_OFFSET and payload.encoding != "raw":
        raise broken(f"the header says that the voxels begin at byte {payload.start + payload.skip}", path)
    with opened(path) as (file, size):
        if payload.encoding == "raw":
            return _mapped(path, payload, size)
        file.seek(payload.start)
        if payload.encoding == "text":
            return _typed_out(file, payload, path), []
        if payload.encoding != "bzip2" and payload.nbytes > size * gz.MOST_RATIO:
            raise cut_off(payload.nbytes - size * gz.MOST_RATIO, payload, path)
        return _decoded(_stream(file, payload.encoding), payload, path, control, begun), []


def _stream(file: Any, encoding: Encoding) -> Any:
    if encoding == "bzip2":
        return bz2.BZ2File(file)
    return gz.reader(file) if encoding == "gzip" else io.BufferedReader(gz.ZlibReader(file), _PIECE)


def _mapped(path: Path, payload: Payload, size: int) -> tuple[Array, list[Finding]]:
    offset = payload.start + payload.skip
    missing = offset + payload.nbytes - size
    if missing > 0:
        raise cut_off(missing, payload, path)
    findings = []
    if missing < -_MOST_PADDING:
        message = f"The file goes on for {readable_size(-missing)} after its last voxel; that part was left out."
        findings.append(Finding("trailing_data", "warning", message))
    return np.memmap(path, payload.dtype, "r", offset, (payload.count,)), findings


def _decoded(stream: Any, payload: Payload, path: Path, control: JobControl, begun: Begun | None) -> Array:
    to_skip = payload.skip
    while to_skip:
        piece = stream.read(min(to_skip, _PIECE))
        if not piece:
            raise cut_off(payload.nbytes + to_skip, payload, path)
        to_skip -= len(piece)
        control.check()
    data = np.empty(payload.nbytes, np.uint8)
    numbers = data.view(payload.dtype)
    filling = Filling(numbers)
    if payload.nbytes < 2 * EARLY_BYTES:
        begun = None
    view = memoryview(data)  # type: ignore[arg-type]  # an array is a buffer
    done = 0
    while done < payload.nbytes:
        count = stream.readinto(view[done : done + _PIECE])
        if not count:
            raise cut_off(payload.nbytes - done, payload, path)
        done += count
        filling.count = done // payload.dtype.itemsize
        if begun is not None and done >= EARLY_BYTES:
            begun(filling)
            begun = None
        control.progress(done / payload.nbytes, f"Reading {path.name}")
    # The checksum stands at the end of the stream, so the rest is read too, but not without end.
    rest = 0
    while piece := stream.read(_PIECE // 4):
        rest += len(piece)
        control.check()
        if rest > _MOST_PADDING:
            raise UnreadableScan(
                "the compressed data goes on long after the last voxel that the header declares",
                where=path,
                mend="The header is damaged or the file was tampered with: get it again from its source.",
            )
    return numbers


def _typed_out(file: Any, payload: Payload, path: Path) -> Array:
    if payload.count > _MOST_TEXT:
        raise broken(f"the header declares {payload.count} voxels that are written out as text", path)
    words = file.read(payload.count * _TEXT_BYTES + _TEXT_BYTES).split()
    if len(words) < payload.count:
        raise cut_off((payload.count - len(words)) * payload.dtype.itemsize, payload, path)
    try:
        exact = int if payload.dtype.kind in "iu" else float
        return np.array([exact(word) for word in words[: payload.count]], payload.dtype)
    except (ValueError, OverflowError):
        raise broken("a voxel written as text is no number of the declared type", path) from None


def beside(header: Path, name: str) -> Path:
    """The file with the voxels that a detached header names; it must lie in the header's own folder.

    Raises UnreadableScan for any other place, links that lead elsewhere included, and where there is no such file.
    """
    folder = header.parent.resolve()
    try:
        data = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links in a circle
        data = folder.parent
    if data.parent != folder:
        raise UnreadableScan(
            "the header names a file with its voxels that does not lie beside it",
            where=header,
            mend="Put both into one folder, and only open files from a source that you trust.",
        )
    if not data.is_file():
        raise UnreadableScan(
            f"the file with the voxels, {data.name}, is missing", where=header, mend="Put it beside the header."
        )
    return data


def cut_off(missing: int, payload: Payload, where: Path) -> UnreadableScan:
    text = " x ".join(map(str, payload.shape))
    return UnreadableScan(
        f"the file is cut off: at least {readable_size(missing)} of {text} voxels are missing",
        where=where,
        mend="Copy or download it again.",
    )


def broken(what: str, where: Path) -> UnreadableScan:
    """The error for a header that cannot be right."""
    return UnreadableScan(what, where=where, mend="The header is damaged: convert the scan again from its source.")
