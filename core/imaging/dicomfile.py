"""One DICOM file: its header, read once and without its pixels, and where in the file those lie."""

from __future__ import annotations

import io
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pydicom
import pydicom.config
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from core.imaging.bounds import size_limit
from core.imaging.elements import TAGS, Elements
from core.imaging.gz import MOST_RATIO
from core.imaging.quick_header import BYTES, quick_header

UNDEFINED_LENGTH = 0xFFFFFFFF

_LONG_LENGTHS = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN")
_PIXELS = {(0x7FE0, 0x0010): "integer", (0x7FE0, 0x0008): "float", (0x7FE0, 0x0009): "double"}
_DICOMDIR = "1.2.840.10008.1.3.10"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
# The group that names the transfer syntax stands at the start and is short.
_META_BYTES = 4096

# Damaged values are found by our own checks; the library's warnings would print them, patient names included.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")


@dataclass(frozen=True)
class PixelPlace:
    """Where the bytes of the pixels begin, and how many there are said to be."""

    offset: int
    length: int
    numbers: str  # "integer", "float" or "double"


@dataclass(frozen=True)
class DicomFile:
    """A header without pixels. `syntax` is the UID of how the pixels are encoded."""

    path: Path
    header: Elements
    syntax: str
    is_directory: bool  # a DICOMDIR, the table of contents of a disc
    pixels: PixelPlace | None
    deflated: bool = False

    def open(self) -> IO[bytes]:
        """The bytes that `pixels` counts in; what is deflated is inflated, as far as a scan may be large."""
        return _inflated(self.path) if self.deflated else self.path.open("rb")


def read_header(path: Path) -> DicomFile | None:
    """The header of a file, or None where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(BYTES)
            quick = quick_header(start)
            if quick is not None:
                place = _place(start[quick.end : quick.end + 12], quick.end, quick.implicit, "little")
                is_directory = quick.storage_class == _DICOMDIR
                return DicomFile(path, Elements(quick.dataset), quick.syntax, is_directory, place)
            if _DEFLATED in start[:_META_BYTES]:
                return _read(path, _inflated(path), deflated=True)
            file.seek(0)
            return _read(path, file, deflated=False)
    except Exception:  # pydicom raises nearly anything on damaged files
        return None


def _read(path: Path, stream: IO[bytes], *, deflated: bool) -> DicomFile | None:
    header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=TAGS, force=True)
    if not len(header) and not hasattr(header, "file_meta"):
        return None
    implicit, little = header.original_encoding
    native = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta = getattr(header, "file_meta", {})  # none where it was saved without its preamble
    syntax = str(meta.get("TransferSyntaxUID") or native)
    is_directory = str(meta.get("MediaStorageSOPClassUID") or "") == _DICOMDIR
    start = stream.tell()  # the reading of the header stopped before the pixels
    place = _place(stream.read(12), start, bool(implicit), "little" if little else "big")
    return DicomFile(path, Elements(header), syntax, is_directory, place, deflated)


def _place(element: bytes, start: int, implicit: bool, order: Any) -> PixelPlace | None:
    """The place of the pixels whose element begins with these bytes, at `start`."""
    if len(element) < 8:
        return None
    numbers = _PIXELS.get((int.from_bytes(element[:2], order), int.from_bytes(element[2:4], order)))
    if numbers is None:
        return None
    if implicit or element[4:6] not in _LONG_LENGTHS:
        width, size = (4, 4) if implicit else (2, 6)
        return PixelPlace(start + 8, int.from_bytes(element[size : size + width], order), numbers)
    return PixelPlace(start + 12, int.from_bytes(element[8:12], order), numbers)


def _after_meta(data: bytes) -> int:
    """Where the data set begins: after the elements of group 2, which are never deflated."""
    place = 132
    while data[place : place + 2] == b"\x02\x00":
        if data[place + 4 : place + 6] in _LONG_LENGTHS:
            place += 12 + int.from_bytes(data[place + 8 : place + 12], "little")
        else:
            place += 8 + int.from_bytes(data[place + 6 : place + 8], "little")
    return place


def _inflated(path: Path) -> io.BytesIO:
    """The data set of a file whose data set is one deflated stream; no more of it than a scan may have.

    Raises EOFError or zlib.error where the file is damaged.
    """
    data = path.read_bytes()
    start = _after_meta(data)
    most = min(len(data) * MOST_RATIO, size_limit())
    inflate = zlib.decompressobj(-15)
    content = inflate.decompress(data[start:], most)
    if not inflate.eof:
        raise EOFError("the stream is cut off, or too long")
    return io.BytesIO(content)
