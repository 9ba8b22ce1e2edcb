"""The DICOM files behind a scan, with their whole headers: what exports refer to, or copy."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pydicom.config
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging.bounds import size_limit
from core.imaging.folder import files_in
from core.imaging.kind import is_dicom_file
from core.imaging.split import series_of

# What is damaged in a header is dropped, so it needs no telling.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

_META_BYTES = 4096
_PIECE = 2**20


def image_files(
    path: Path, control: JobControl, series: str = "", *, damaged: list[Path] | None = None
) -> list[tuple[Path, Any]]:
    """The images at a path with their headers (no pixels), in the order of their numbers.

    path: a folder, with those below it, or a file, with its series beside it. series: only the images of this UID;
    of a part of a series ("UID#2") those of the whole series. damaged: takes the files that cannot be read, or whose
    header cannot. Raises UnreadableScan where there are none.
    """
    folder, series = path, series_of(series)
    if not path.exists():
        raise UnreadableScan("there is no such file or folder", where=path, mend="Check the name.")
    if not path.is_dir():
        own = read_header(path)
        if own is None:
            raise UnreadableScan("this is no DICOM file", where=path, mend="Choose a DICOM series.")
        folder = path.parent
        series = series or ("" if _is_directory_file(own) else str(own.get("SeriesInstanceUID", "")))
    found = [
        (file, header)
        for file, header in _headers(folder, control, [] if damaged is None else damaged)
        if is_image(header) and series in ("", str(header.get("SeriesInstanceUID", "")))
    ]
    if not found:
        raise UnreadableScan("there are no DICOM images here", where=path, mend="Choose a DICOM series.")
    return sorted(found, key=lambda one: (str(one[1].get("SeriesInstanceUID", "")), _number(one[1]), one[0]))


def _headers(folder: Path, control: JobControl, damaged: list[Path]) -> Iterator[tuple[Path, Any]]:
    for file in files_in(folder, deep=True):
        control.check()
        dicom = is_dicom_file(file)
        header = read_header(file) if dicom else None
        if header is not None:
            yield file, header
        elif dicom or not os.access(file, os.R_OK):
            damaged.append(file)


def read_header(path: Path) -> Any | None:
    """All of a DICOM file but its pixels, or None where it cannot be read."""
    try:
        _check_inflated_size(path)
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        return header if len(header) else None
    except Exception:  # pydicom raises nearly anything on damaged files
        return None


def load(path: Path) -> Any:
    """A whole DICOM file. Raises UnreadableScan where it is damaged."""
    try:
        _check_inflated_size(path)
        return pydicom.dcmread(path, force=True)
    except Exception as error:  # pydicom raises nearly anything on damaged files
        raise UnreadableScan(
            f"the DICOM file is damaged ({type(error).__name__})", where=path, mend="Copy or export this file again."
        ) from error


def transfer_syntax(dataset: Any) -> UID:
    """How a file is encoded, also where it was saved without saying so."""
    named = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if named:
        return UID(named)
    implicit, little = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _check_inflated_size(path: Path) -> None:
    """Raise ValueError for a deflated file that would grow beyond what a scan may be."""
    with path.open("rb") as file:
        if DeflatedExplicitVRLittleEndian.encode() not in file.read(_META_BYTES):
            return
    meta = pydicom.filereader.read_file_meta_info(path)
    start = 144 + int(meta.FileMetaInformationGroupLength)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(start)
        left = b""
        while left or (left := file.read(_PIECE)):
            size += len(inflater.decompress(left, _PIECE))
            left = inflater.unconsumed_tail
            if size > size_limit():
                raise ValueError("inflates beyond all bounds")


def is_image(header: Any) -> bool:
    """Whether a file holds an image, and no segmentation, dose or report."""
    try:
        modality = str(header.get("Modality", ""))
        return "Rows" in header and "Columns" in header and modality not in ("SEG", "RTDOSE", "SR", "PR", "KO", "DOC")
    except Exception:  # an element that cannot be parsed
        return False


def _is_directory_file(header: Any) -> bool:
    return "DirectoryRecordSequence" in header


def _number(header: Any) -> int:
    try:
        return int(header.get("InstanceNumber") or 0)
    except Exception:  # an element that cannot be parsed
        return 0
