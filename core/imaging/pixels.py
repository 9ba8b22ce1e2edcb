"""The pixels of one DICOM file, a frame at a time: plain ones straight from the file, compressed ones from a child."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom.encaps import generate_frames
from pydicom.uid import UID, ExplicitVRBigEndian

from core.errors import UnreadableScan
from core.imaging.bounds import check_size, unreadable
from core.imaging.decoder import DECODED, Decoder
from core.imaging.dicomfile import UNDEFINED_LENGTH, DicomFile, PixelPlace

Array = np.ndarray[Any, Any]

MOST_FRAMES = 100_000
# MPEG-2, MPEG-4 and HEVC (PS3.5, 8.2.5 to 8.2.8 and 8.2.10, 8.2.11).
_VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))


@dataclass
class Pixels:
    """How a file stores its pixels, checked. `unused_bits` is set when bits beyond the declared ones were in use."""

    file: DicomFile
    place: PixelPlace
    rows: int
    columns: int
    frames: int
    dtype: np.dtype[Any]  # in this computer's byte order
    stored: tuple[int, int]  # bits in use, and the highest of them
    unused_bits: bool = False

    @property
    def path(self) -> Path:
        return self.file.path

    def frame(self, index: int, decoder: Decoder) -> Array:
        """One frame, (rows, columns), as stored.

        Raises UnreadableScan for pixels that are cut off, damaged, or encoded in a way that cannot be decoded.
        """
        try:
            is_compressed = self.place.length == UNDEFINED_LENGTH
            plane = self._decoded(index, decoder) if is_compressed else self._plain(index)
        except OSError as error:
            raise unreadable(error, self.path) from None
        return self._declared_bits(plane)

    def _plain(self, index: int) -> Array:
        frame_bytes = self.rows * self.columns * self.dtype.itemsize
        order: Literal["<", ">"] = ">" if self.file.syntax == ExplicitVRBigEndian else "<"
        if (index + 1) * frame_bytes > self.place.length:
            raise _cut_off(self.path)
        offset = self.place.offset + index * frame_bytes
        if self.file.deflated:
            data = self._inflated[offset : offset + frame_bytes]
            values = np.frombuffer(data, np.uint8)
        else:
            values = np.fromfile(self.path, np.uint8, frame_bytes, offset=offset)
        if len(values) < frame_bytes:
            raise _cut_off(self.path)
        plane = values.view(self.dtype.newbyteorder(order)).reshape(self.rows, self.columns)
        return plane.astype(self.dtype, copy=False)

    @cached_property
    def _inflated(self) -> bytes:
        try:
            with self.file.open() as content:
                return content.read()
        except (EOFError, zlib.error):
            raise _cut_off(self.path) from None

    def _decoded(self, index: int, decoder: Decoder) -> Array:
        if index >= len(self._encoded):
            raise _cut_off(self.path)
        data = decoder.decode(
            self._encoded[index], self.file.syntax, self.rows, self.columns, self.dtype.itemsize, self.path
        )
        little = self.dtype.newbyteorder("<")
        return np.frombuffer(data, little).reshape(self.rows, self.columns).astype(self.dtype, copy=False)

    @cached_property
    def _encoded(self) -> list[bytes]:
        """The compressed frames."""
        header = self.file.header
        with self.file.open() as file:
            file.seek(self.place.offset)
            content = file.read()
        try:
            table = header.get("ExtendedOffsetTable"), header.get("ExtendedOffsetTableLengths")
            extended = (table[0], table[1]) if all(table) else None
            return list(generate_frames(content, number_of_frames=self.frames, extended_offsets=extended))
        except Exception as error:  # pydicom raises nearly anything on damaged files
            raise UnreadableScan(
                f"the compressed pixels are damaged or cut off ({type(error).__name__})",
                where=self.path,
                mend="Copy or export this file again.",
            ) from None

    def _declared_bits(self, plane: Array) -> Array:
        """Only the bits that the header declares, with their sign; old files keep drawings in the others."""
        bits, high = self.stored
        whole = self.dtype.itemsize * 8
        if self.dtype.kind == "f" or bits == whole:
            return plane
        shift = high + 1 - bits
        lowest = -(1 << bits - 1) if self.dtype.kind == "i" else 0
        if shift == 0 and lowest <= plane.min() and plane.max() < lowest + (1 << bits):
            return plane
        self.unused_bits = True
        return (plane << (whole - 1 - high)) >> (whole - bits)


def pixels_of(file: DicomFile) -> Pixels:
    """How a file stores its pixels. Raises UnreadableScan where it holds none that can be read."""
    header, place = file.header, file.pixels
    if place is None:
        raise UnreadableScan("the file holds no pixels", where=file.path, mend="Copy or export this file again.")
    if file.syntax.startswith(_VIDEO):
        raise UnreadableScan(
            f"this is a video ({_name(file.syntax)}), not a scan",
            where=file.path,
            mend="Choose a series of single images, or open the video in a viewer for films.",
        )
    if place.length == UNDEFINED_LENGTH and file.syntax not in DECODED:
        if not UID(file.syntax).is_compressed:
            raise _damaged("the pixels are compressed, though the header says that they are not", file.path)
        raise UnreadableScan(
            f"the images are compressed as {_name(file.syntax)}, which is not read",
            where=file.path,
            mend="Export the series uncompressed (Explicit VR Little Endian).",
        )
    try:
        rows, columns, frames = (
            int(header.get("Rows")),
            int(header.get("Columns")),
            int(header.get("NumberOfFrames") or 1),
        )
        allocated = {"float": 32, "double": 64}.get(place.numbers) or int(header.get("BitsAllocated"))
        colours = int(header.get("SamplesPerPixel") or 1)
        signed = int(header.get("PixelRepresentation") or 0)
        bits = int(header.get("BitsStored") or allocated)
        high = int(header.get("HighBit") or bits - 1)
    except Exception:  # a damaged element, which pydicom finds when it is used
        raise _damaged("a number in the DICOM header is missing or damaged", file.path) from None
    if colours != 1 or "MONOCHROME" not in (header.get("PhotometricInterpretation") or "MONOCHROME2"):
        raise UnreadableScan(
            "these are colour pictures, not a scan", where=file.path, mend="Choose a grey-scale series."
        )
    if not (0 < rows < 2**16 and 0 < columns < 2**16 and 0 < frames <= MOST_FRAMES):
        raise _damaged(f"the header declares {frames} images of {rows} x {columns} pixels", file.path)
    if allocated not in (8, 16, 32, 64):
        raise _damaged(f"the header declares {allocated} bits for a pixel, which is not read", file.path)
    if not 0 < bits <= high + 1 <= allocated:
        bits, high = allocated, allocated - 1
    kind = "f" if place.numbers != "integer" else "i" if signed else "u"
    dtype = np.dtype(f"{kind}{allocated // 8}")
    check_size(rows * columns * frames * dtype.itemsize, file.path)
    return Pixels(file, place, rows, columns, frames, dtype, (bits, high))


def _name(syntax: str) -> str:
    return UID(syntax).name if UID(syntax).is_valid else "an unknown transfer syntax"


def _cut_off(where: Path) -> UnreadableScan:
    return UnreadableScan("the pixels are missing or cut off", where=where, mend="Copy or export this file again.")


def _damaged(what: str, where: Path) -> UnreadableScan:
    return UnreadableScan(what, where=where, mend="Copy or export this file again.")
