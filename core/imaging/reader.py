"""One reader for every scan: what a file is, is told by its content, and each failure says how to mend it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging import gz, nifti
from core.imaging.bounds import regular_size, unreadable
from core.imaging.volume import Volume

Kind = Literal["nifti", "dicom", "nrrd", "metaimage", "picture", "empty", "unknown"]

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"%PDF", b"PK\x03\x04")
_NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
# The first element of a DICOM file that was saved without its preamble: group 2 or 8, little endian.
_BARE_DICOM = (b"\x02\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x08\x00\x00\x00")
# A folder is looked through this far for a first DICOM file.
_LOOK = 50


def read(path: Path, control: JobControl | None = None, *, series: str | None = None) -> Volume:
    """Read a NIfTI file, a DICOM file with the series beside it, or a DICOM folder.

    series: the UID of the series to take from a DICOM folder; without it the one with most images.
    Raises UnreadableScan, or Cancelled where `control` asks for it.
    """
    path = Path(path)
    control = control or JobControl()
    control.check()
    try:
        if path.is_dir() or kind_of(path) == "dicom":
            from core.imaging import dicom

            return dicom.read_dicom(path, control, series)
        if kind_of(path) == "nifti":
            return nifti.read_nifti(path, control)
    except OSError as error:
        raise unreadable(error, path) from None
    except MemoryError:
        raise UnreadableScan(
            "there is not enough memory for this scan", where=path, mend="Close other programs, or crop the scan."
        ) from None
    raise _not_read(path, kind_of(path))


def is_scan(path: Path) -> bool:
    """A cheap look: whether a file, or the first files of a folder, are of a kind that `read` takes."""
    try:
        if not path.is_dir():
            return kind_of(path) in ("nifti", "dicom")
        seen = 0
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                seen += 1
                if seen > _LOOK:
                    return False
                if _is_dicom(Path(folder, name)):
                    return True
    except (UnreadableScan, OSError, ValueError):
        pass
    return False


def kind_of(path: Path) -> Kind:
    """What a file is, by its first bytes. Raises UnreadableScan where it is missing or no plain file."""
    if regular_size(path) == 0:
        return "empty"
    try:
        with path.open("rb") as file:
            head = file.read(nifti.HEADER_BYTES)
            if head.startswith(gz.MAGIC):
                file.seek(0)
                head = gz.reader(file).read(nifti.HEADER_BYTES)
    except gz.ERRORS:
        head = b""
    except OSError as error:
        raise unreadable(error, path) from None
    lower = path.name.lower()
    if head[128:132] == b"DICM":
        return "dicom"
    if nifti.is_nifti(head) or lower.endswith(_NIFTI_SUFFIXES):
        return "nifti"
    if head.startswith(b"NRRD") or lower.endswith((".nrrd", ".nhdr")):
        return "nrrd"
    if lower.endswith((".mha", ".mhd")):
        return "metaimage"
    if head.startswith(_PICTURES):
        return "picture"
    if head.startswith(_BARE_DICOM) or lower.endswith((".dcm", ".dicom", ".ima")):
        return "dicom"
    return "unknown"


def _is_dicom(path: Path) -> bool:
    try:
        return kind_of(path) == "dicom"
    except UnreadableScan:
        return False


def _not_read(path: Path, kind: Kind) -> UnreadableScan:
    convert = "Convert it to NIfTI (.nii.gz), for example with 3D Slicer."
    if kind == "empty":
        return UnreadableScan("the file is empty", where=path, mend="Copy or download it again.")
    if kind == "nrrd":
        return UnreadableScan("NRRD is not read yet", where=path, mend=convert)
    if kind == "metaimage":
        return UnreadableScan("MetaImage (.mha, .mhd) is not read yet", where=path, mend=convert)
    if kind == "picture":
        return UnreadableScan("this is a picture, document or archive, not a scan", where=path, mend="Choose NIfTI or DICOM.")
    return UnreadableScan("this is not a scan", where=path, mend="Choose a NIfTI file (.nii, .nii.gz) or a DICOM folder.")
