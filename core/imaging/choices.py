"""What can be opened in a folder: each DICOM series in it, and each file of another format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging.series import SeriesInfo, series_thumbnail, volume_thumbnail
from core.imaging.titles import is_volume_name, stem_of

Array = np.ndarray[Any, Any]
MOST = 2000


@dataclass(frozen=True)
class ScanChoice:
    """One scan that can be opened: `read(path, series=series or None)` reads it.

    `info` tells a series; what a file holds is known once its preview was made.
    """

    path: Path
    name: str
    series: str = ""
    info: SeriesInfo | None = None  # of a DICOM series


@dataclass(frozen=True, eq=False)
class Preview:
    """A small picture, grey uint8 (rows, columns), and the facts found on the way."""

    picture: Array
    shape: tuple[int, ...] = ()
    spacing_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


def is_collection(path: Path) -> bool:
    """Whether several scans may lie behind a path: a folder, or a DICOMDIR."""
    return path.is_dir() or path.name.upper() == "DICOMDIR"


def choices_in(path: Path, control: JobControl | None = None) -> list[ScanChoice]:
    """The scans of a folder or a DICOMDIR: series first, the one that `read` would take at the head.

    Raises UnreadableScan for a folder too large to look through.
    """
    from core.imaging.dicom import series_in

    control = control or JobControl()
    folder = path if path.is_dir() else path.parent
    found = [ScanChoice(path, _named(info), info.uid, info) for info in series_in(folder, control)]
    return found + [ScanChoice(file, stem_of(file)) for file in _other_files(folder, control)]


def _named(info: SeriesInfo) -> str:
    own = info.description.strip()
    return f"{own}, part {info.part} of {info.parts}" if own and info.parts > 1 else own or info.title


def one_per_series(files: Sequence[Path], control: JobControl) -> list[Path]:
    """Of many files dropped together: of each DICOM series the first, and every file of another format."""
    from core.imaging.dicomfile import read_header
    from core.imaging.kind import is_dicom_file

    found: dict[object, Path] = {}
    for file in files:
        control.check()
        dicom = read_header(file) if is_dicom_file(file) else None
        key = (file.parent, str(dicom.header.get("SeriesInstanceUID") or "")) if dicom is not None else file
        found.setdefault(key, file)
    return list(found.values())


def preview(choice: ScanChoice, control: JobControl) -> Preview | None:
    """The picture of a choice; reads one image of a series, and a file whole. None where there is none to see.

    Raises UnreadableScan.
    """
    from core.imaging.reader import read

    if choice.info is not None:
        picture = series_thumbnail(choice.info, control)
        return None if picture is None else Preview(picture)
    volume = read(choice.path, control)
    return Preview(volume_thumbnail(volume), volume.shape, volume.spacing_mm)


def _other_files(folder: Path, control: JobControl) -> list[Path]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        control.check()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, n) for n in sorted(names) if is_volume_name(n)]
        if len(found) > MOST:
            raise UnreadableScan(
                f"the folder holds more than {MOST} scans", where=folder, mend="Drop the scans themselves."
            )
    return found
