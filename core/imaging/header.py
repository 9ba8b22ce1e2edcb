"""The fields of the NIfTI-1 and NIfTI-2 headers that are used here, at their places in the file."""

from __future__ import annotations

from typing import Any

import numpy as np


def _layout(size: int, fields: dict[str, tuple[Any, int]]) -> np.dtype[Any]:
    formats = [kind for kind, _ in fields.values()]
    offsets = [offset for _, offset in fields.values()]
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": size})


NIFTI1 = _layout(
    348,
    {
        "sizeof_hdr": ("<i4", 0),
        "dim": (("<i2", 8), 40),
        "datatype": ("<i2", 70),
        "bitpix": ("<i2", 72),
        "pixdim": (("<f4", 8), 76),
        "vox_offset": ("<f4", 108),
        "scl_slope": ("<f4", 112),
        "scl_inter": ("<f4", 116),
        "xyzt_units": ("u1", 123),
        "descrip": ("S80", 148),
        "qform_code": ("<i2", 252),
        "sform_code": ("<i2", 254),
        "quatern": (("<f4", 3), 256),
        "qoffset": (("<f4", 3), 268),
        "srow": (("<f4", (3, 4)), 280),
        "magic": ("S4", 344),
    },
)

NIFTI2 = _layout(
    540,
    {
        "sizeof_hdr": ("<i4", 0),
        "magic": ("S8", 4),
        "datatype": ("<i2", 12),
        "bitpix": ("<i2", 14),
        "dim": (("<i8", 8), 16),
        "pixdim": (("<f8", 8), 104),
        "vox_offset": ("<i8", 168),
        "scl_slope": ("<f8", 176),
        "scl_inter": ("<f8", 184),
        "descrip": ("S80", 240),
        "qform_code": ("<i4", 344),
        "sform_code": ("<i4", 348),
        "quatern": (("<f8", 3), 352),
        "qoffset": (("<f8", 3), 376),
        "srow": (("<f8", (3, 4)), 400),
        "xyzt_units": ("<i4", 500),
    },
)

# NIfTI's codes of the voxel types that are single numbers.
DATA_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    32: "c8",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
    1792: "c16",
}


def parse(block: bytes, layout: np.dtype[Any], order: str) -> Any:
    """The fields of a header block in the byte order "<" or ">", as a record that is read by field name."""
    return np.frombuffer(block[: layout.itemsize], layout.newbyteorder(order))[0]  # type: ignore[arg-type]
