"""What a file is, told by its first bytes; its name only decides where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from core.errors import UnreadableScan
from core.imaging import gz, nrrd
from core.imaging.bounds import regular_size, unreadable
from core.imaging.metaimage import is_metaimage
from core.imaging.nifti import HEADER_BYTES, is_nifti

Kind = Literal["nifti", "dicom", "nrrd", "metaimage", "picture", "empty", "unknown"]

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"%PDF", b"PK\x03\x04")
_NIFTI_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
# The first element of a DICOM file that was saved without its preamble: group 2 or 8, little endian.
_BARE_DICOM = (b"\x02\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x08\x00\x00\x00")


def kind_of(path: Path) -> Kind:
    """What a file is, by its first bytes. Raises UnreadableScan where it is missing or no plain file."""
    if regular_size(path) == 0:
        return "empty"
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            if head.startswith(gz.MAGIC):
                file.seek(0)
                head = gz.reader(file).read(HEADER_BYTES)
    except gz.ERRORS:
        head = b""
    except OSError as error:
        raise unreadable(error, path) from None
    lower = path.name.lower()
    if head[128:132] == b"DICM":
        return "dicom"
    if is_nifti(head) or lower.endswith(_NIFTI_SUFFIXES):
        return "nifti"
    if head.startswith(nrrd.MAGIC) or lower.endswith((".nrrd", ".nhdr")):
        return "nrrd"
    if lower.endswith((".mha", ".mhd")) or is_metaimage(head):
        return "metaimage"
    if head.startswith(_PICTURES):
        return "picture"
    if head.startswith(_BARE_DICOM) or lower.endswith((".dcm", ".dicom", ".ima")):
        return "dicom"
    return "unknown"


def is_dicom_file(path: Path) -> bool:
    """Whether the first bytes of a plain file look like DICOM; False for anything else."""
    try:
        return kind_of(path) == "dicom"
    except UnreadableScan:
        return False
