"""Decoding the pixels of one DICOM file.

This is the only place where bytes from a stranger reach a codec, and `decode` takes and gives plain values, so that
it can move into a child process with limits of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from core.errors import UnreadableScan
from core.imaging.bounds import check_size, unreadable

Array = np.ndarray[Any, Any]


def decode(path: Path) -> Array:
    """All frames of a file as stored, (frames, rows, columns).

    Raises UnreadableScan for pixels that are missing, cut off, damaged, or encoded in a way that cannot be decoded.
    """
    try:
        dataset = pydicom.dcmread(path, force=True)
        syntax = _transfer_syntax(dataset)
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
        check_size(rows * columns * frames * max(int(dataset.BitsAllocated) // 8, 1), path)
        _check_decodable(syntax, path)
        pixels = np.asarray(pixel_array(dataset, raw=True))
        return pixels.reshape(frames, rows, columns)
    except (UnreadableScan, MemoryError):
        raise
    except OSError as error:
        raise unreadable(error, path) from None
    except Exception as error:  # pydicom raises nearly anything on damaged files
        raise UnreadableScan(
            f"the pixels cannot be decoded: they are missing, cut off or damaged ({type(error).__name__})",
            where=path,
            mend="Copy or export this file again.",
        ) from error


def _transfer_syntax(dataset: Any) -> UID:
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if syntax is None:  # saved without its preamble: the encoding was found by looking
        implicit, little = dataset.original_encoding
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        if not hasattr(dataset, "file_meta"):
            dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
    return UID(syntax)


def _check_decodable(syntax: UID, path: Path) -> None:
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise UnreadableScan(
            f"the images are compressed as {syntax.name}, for which no decoder is installed",
            where=path,
            mend="Export the series uncompressed (Explicit VR Little Endian).",
        )
