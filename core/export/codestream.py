"""The pixels of an image without anything else that its bytes could carry: padding, and comments in JPEG frames."""

from __future__ import annotations

from typing import Any

from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

from core.errors import UnreadableScan

CUT_OFF = "the file is cut off: pixels are missing"
# Segments that say nothing of how to decode: comments, and what applications add (EXIF, thumbnails). APP0 (JFIF),
# APP8 (a colour transform of JPEG-LS) and APP14 (that of Adobe) do.
_COMMENT = 0xFE
_SPARE_SEGMENTS = frozenset((_COMMENT, *(0xE0 + n for n in range(16) if n not in (0, 8, 14))))
_START_OF_SCAN, _START_OF_TILE, _COMMENT_2000 = 0xDA, 0x90, 0x64


def pixels_alone(image: Any, syntax: UID) -> bytes:
    """The value of an image's PixelData without spare bytes. Raises UnreadableScan where some are missing, ValueError
    for a damaged encoding."""
    if not syntax.is_encapsulated:
        return _cut(image)
    if syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes):
        spare, end = _SPARE_SEGMENTS, _START_OF_SCAN
    elif syntax in JPEG2000TransferSyntaxes:
        spare, end = frozenset((_COMMENT_2000,)), _START_OF_TILE
    else:
        return bytes(image.PixelData)
    frames = generate_frames(image.PixelData, number_of_frames=int(image.get("NumberOfFrames") or 1))
    return encapsulate([without_segments(frame, spare, end) for frame in frames])


def without_segments(codestream: bytes, spare: frozenset[int], end: int) -> bytes:
    """A JPEG code stream without some of the segments of its header; what follows the marker `end` is copied.

    >>> without_segments(bytes.fromhex("ffd8 fffe0004abcd ffda99"), frozenset([0xfe]), 0xda).hex()
    'ffd8ffda99'
    """
    kept, at = bytearray(codestream[:2]), 2
    while at + 4 <= len(codestream) and codestream[at] == 0xFF and codestream[at + 1] != end:
        length = 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
        if codestream[at + 1] not in spare:
            kept += codestream[at : at + length]
        at += length
    return bytes(kept + codestream[at:])


def _cut(image: Any) -> bytes:
    """Native pixels up to their last one, and even in number as DICOM asks."""
    samples = int(image.get("SamplesPerPixel") or 1) * int(image.Rows) * int(image.Columns)
    bits = samples * int(image.get("NumberOfFrames") or 1) * int(image.BitsAllocated)
    if str(image.get("PhotometricInterpretation", "")) == "YBR_FULL_422":
        bits = bits * 2 // 3
    pixels = bytes(image.PixelData[: (bits + 7) // 8])
    if len(pixels) < (bits + 7) // 8:
        raise UnreadableScan(CUT_OFF, mend="Copy or export this file again.")
    return pixels + b"\0" * (len(pixels) % 2)
