"""Which DICOM images lie in a folder, by the series they belong to."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging.dicomfile import DicomFile, read_header
from core.imaging.kind import is_dicom_file

_MOST_FILES = 50_000
# Not images of a body, though some hold pixels.
_NO_SCANS = {"SR", "PR", "KO", "SEG", "RTSTRUCT", "RTPLAN", "RTRECORD", "DOC", "REG", "FID", "AU", "ECG"}


@dataclass
class Found:
    """The readable images under a path, by series UID, and how many files were damaged or something else."""

    series: dict[str, list[DicomFile]] = field(default_factory=lambda: defaultdict(list))
    damaged: int = 0
    others: int = 0


def find(folder: Path, control: JobControl, *, deep: bool = True) -> Found:
    """Read the headers of all DICOM files in a folder, and below it where `deep`."""
    found = Found()
    for path in files_in(folder, deep=deep):
        control.progress(None, "Looking for DICOM series")
        if not is_dicom_file(path):
            if os.access(path, os.R_OK):
                found.others += 1
            else:
                found.damaged += 1
            continue
        file = read_header(path)
        if file is None:
            found.damaged += 1
        elif is_image(file):
            found.series[series_uid(file)].append(file)
        else:
            found.others += 1
    return found


def is_image(file: DicomFile) -> bool:
    """Whether a file holds an image that may be part of a scan."""
    header = file.header
    try:
        return "Rows" in header and "Columns" in header and header.get("Modality") not in _NO_SCANS
    except Exception:  # an element that cannot be parsed
        return False


def series_uid(file: DicomFile) -> str:
    """The series that a file belongs to; empty where it does not say."""
    try:
        return str(file.header.get("SeriesInstanceUID") or "")
    except Exception:  # an element that cannot be parsed
        return ""


def files_in(folder: Path, *, deep: bool) -> Iterator[Path]:
    """The files of a folder, and of those below it if `deep`, hidden ones left out.

    Raises UnreadableScan for a folder of so many files that it is surely not one study.
    """
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if deep else []
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                raise UnreadableScan(
                    f"the folder holds more than {_MOST_FILES} files", where=folder, mend="Choose one study's folder."
                )
            if not name.startswith("."):
                yield Path(parent, name)
