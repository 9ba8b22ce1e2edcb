"""One reader for every scan: what a file is, is told by its content, and each failure says how to mend it."""

from __future__ import annotations

import os
from pathlib import Path

from core.control import JobControl
from core.errors import UnreadableScan
from core.files import is_unicode
from core.imaging.bounds import unreadable
from core.imaging.kind import Kind, is_dicom_file, kind_of
from core.imaging.metaimage import read_metaimage
from core.imaging.nifti import read_nifti
from core.imaging.nrrd import read_nrrd
from core.imaging.partial import Early
from core.imaging.volume import Volume

_READERS = {"nifti": read_nifti, "nrrd": read_nrrd, "metaimage": read_metaimage}
# A folder is looked through this far for a first DICOM file.
_LOOK = 50


def read(
    path: Path, control: JobControl | None = None, *, series: str | None = None, early: Early | None = None
) -> Volume:
    """Read a NIfTI, NRRD or MetaImage file, a DICOM file with the series beside it, or a DICOM folder.

    series: the UID of the series to take from a DICOM folder; without it the one with most images.
    early: called at most once, on this thread, with a long compressed scan that is still being decoded, to be shown
    meanwhile. What is returned is the checked whole, in the same memory; if an error is raised instead, what was
    handed over has to be taken away.
    Raises UnreadableScan, or Cancelled where `control` asks for it.
    """
    path = Path(path)
    control = control or JobControl()
    control.check()
    if not is_unicode(str(path)):  # neither the catalog nor a table of results could name it
        raise UnreadableScan("the name of the file or folder is not Unicode", where=repr(path.name), mend="Rename it.")
    try:
        kind = _kind(path)
        _refuse_series(series, kind, path)
        if kind == "dicom":
            from core.imaging.dicom import read_dicom  # pydicom is slow to import, and most scans are NIfTI

            return read_dicom(path, control, series)
        if kind in _READERS:
            return _READERS[kind](path, control, early)
    except OSError as error:
        raise unreadable(error, path) from None
    except MemoryError:
        raise UnreadableScan(
            "there is not enough memory for this scan", where=path, mend="Close other programs, or crop the scan."
        ) from None
    raise _not_read(path, kind)


def is_scan(path: Path) -> bool:
    """A cheap look: whether a file, or the first files of a folder, are of a kind that `read` takes."""
    try:
        if not path.is_dir():
            return kind_of(path) in ("dicom", *_READERS)
        seen = 0
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                seen += 1
                if seen > _LOOK:
                    return False
                if is_dicom_file(Path(folder, name)):
                    return True
    except (UnreadableScan, OSError, ValueError):
        pass
    return False


def _kind(path: Path) -> Kind:
    if not path.is_dir():
        return kind_of(path)
    if not os.access(path, os.R_OK | os.X_OK):
        raise UnreadableScan("the folder may not be read", where=path, mend="Ask its owner for permission to read it.")
    return "dicom"


def _refuse_series(series: str | None, kind: Kind, path: Path) -> None:
    if series and kind in _READERS:
        raise UnreadableScan(
            "only a DICOM folder has series, and this is none", where=path, mend="Leave out the series (--series)."
        )


def _not_read(path: Path, kind: Kind) -> UnreadableScan:
    if kind == "empty":
        return UnreadableScan("the file is empty", where=path, mend="Copy or download it again.")
    if kind == "picture":
        return UnreadableScan(
            "this is a picture, document or archive, not a scan",
            where=path,
            mend="Choose NIfTI, NRRD, MetaImage or DICOM.",
        )
    return UnreadableScan(
        "this is not a scan", where=path, mend="Choose a file of NIfTI, NRRD or MetaImage, or a DICOM folder."
    )
