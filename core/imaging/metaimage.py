"""MetaImage, in one file (.mha) or two (.mhd and its data): https://itk.org/Wiki/ITK/MetaIO/Documentation.

The transform is `TransformMatrix` (a row for each voxel axis), `ElementSpacing` and `Offset`, in
left-posterior-superior space, as ITK takes it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.imaging import layout
from core.imaging.checks import voxel_findings
from core.imaging.partial import Early, hand_over
from core.imaging.payload import Encoding, Payload, beside, broken, opened, read_payload
from core.imaging.transform import LPS, check_affine, ras_from, shear_findings
from core.imaging.volume import Finding, Source, Volume

Array = np.ndarray[Any, Any]

_MOST_HEADER = 2**20
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_NAMES = {code: name for name, code in _TYPES.items() if not name.endswith("LONG") or "LONG_LONG" in name}
# The last digits of the size are filled in when all is compressed.
SIZE_DIGITS = 20


def is_metaimage(head: bytes) -> bool:
    """Whether the first bytes look like a MetaImage header."""
    return head.lstrip().startswith((b"ObjectType", b"NDims")) and b"=" in head[:32]


def read_metaimage(path: Path, control: JobControl, early: Early | None = None) -> Volume:
    """Read a MetaImage file. Raises UnreadableScan that says what is wrong with it.

    early: see `core.imaging.reader.read`; not used for files with further axes than those in space.
    """
    fields, end = _header(path)
    sizes = _sizes(fields, path)
    data_path, payload = _payload(fields, sizes, path, end)
    affine, place_findings = _affine(fields, len(sizes), path)
    source = Source(path, "MetaImage")
    if math.prod(sizes[:3]) < payload.count:
        early = None
    i, j, k = (*sizes, 1)[:3]
    raw, findings = read_payload(data_path, payload, control, hand_over(early, (i, j, k), affine, source))
    voxels, more = _arranged(raw, payload.shape, len(sizes), path)
    findings += more + place_findings + shear_findings(affine)
    if not isinstance(voxels, np.memmap):
        findings += voxel_findings(voxels, control)
    return Volume(voxels, affine, source, findings=tuple(findings))


def header_text(dtype: np.dtype[Any], shape: tuple[int, ...], affine_ras: Array, compressed_size: int) -> bytes:
    """The header of a single file with compressed voxels; as long for every compressed size."""
    count = len(shape)
    lps = affine_ras[:3] * LPS[:, None]
    spacing = np.ones(count)
    spacing[:3] = np.linalg.norm(lps[:, :3], axis=0)
    matrix, offset = np.eye(count), np.zeros(count)
    matrix[:3, :3] = (lps[:, :3] / spacing[:3]).T
    offset[:3] = lps[:, 3]
    return (
        f"ObjectType = Image\nNDims = {count}\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"CompressedData = True\nCompressedDataSize = {compressed_size:0{SIZE_DIGITS}d}\n"
        f"TransformMatrix = {_texts(matrix.ravel())}\nOffset = {_texts(offset)}\n"
        f"CenterOfRotation = {_texts(np.zeros(count))}\nElementSpacing = {_texts(spacing)}\n"
        f"DimSize = {' '.join(map(str, shape))}\nElementType = {_NAMES[dtype.str[1:]]}\nElementDataFile = LOCAL\n"
    ).encode("ascii")


def _texts(values: Array) -> str:
    return " ".join(repr(float(value)) for value in values)


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields by name, and where the header ends in the file: after the line that names the data."""
    fields: dict[str, str] = {}
    with opened(path) as (file, _):
        while file.tell() < _MOST_HEADER:
            line = file.readline(_MOST_HEADER)
            name, separator, value = line.decode("utf-8", "replace").partition("=")
            name, value = name.strip(), value.strip()
            if not line or (not separator and name):
                raise broken("this is not a MetaImage file, or its header is damaged", path)
            if name in fields and name != "Comment":
                raise broken("the header says something twice", path)
            fields[name] = value
            if name == "ElementDataFile":
                return fields, file.tell()
    raise broken("the header does not end", path)


def _first(fields: dict[str, str], *names: str) -> str:
    """The value of the first of several names for the same thing; empty where there is none."""
    return next((fields[name] for name in names if fields.get(name)), "")


def _reals(text: str, count: int, name: str, where: Path) -> Array:
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError:
        raise broken(f"the header's {name} is damaged", where) from None
    if len(values) != count:
        raise broken(f"the header's {name} should have {count} numbers", where)
    return values


def _whole(text: str, name: str, where: Path) -> int:
    try:
        return int(text)
    except ValueError:
        raise broken(f"the header's {name} is missing or damaged", where) from None


def _sizes(fields: dict[str, str], where: Path) -> tuple[int, ...]:
    if fields.get("ObjectType", "Image").lower() != "image":
        raise broken("this MetaImage file holds no image", where)
    count = _whole(fields.get("NDims", ""), "NDims", where)
    sizes = tuple(_whole(word, "DimSize", where) for word in fields.get("DimSize", "").split())
    if not 2 <= count <= 10 or len(sizes) != count or min(sizes) < 1:
        raise broken("the header's size is missing or damaged", where)
    return sizes


def _is_true(fields: dict[str, str], *names: str) -> bool:
    return _first(fields, *names).lower()[:1] in ("t", "y", "1")


def _payload(fields: dict[str, str], sizes: tuple[int, ...], where: Path, end: int) -> tuple[Path, Payload]:
    """Which file holds the voxels, and how; several values of a voxel are the first axis."""
    kind = fields.get("ElementType", "").removesuffix("_ARRAY")
    if kind not in _TYPES:
        raise broken("the header's voxel type is missing, unknown or not read", where)
    is_big = _is_true(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    dtype = np.dtype((">" if is_big else "<") + _TYPES[kind])
    channels = _whole(fields.get("ElementNumberOfChannels") or "1", "ElementNumberOfChannels", where)
    if channels < 1:
        raise broken("the header's ElementNumberOfChannels is damaged", where)
    shape = sizes if channels == 1 else (channels, *sizes)
    encoding: Encoding = "raw"
    if not _is_true({"BinaryData": "True", **fields}, "BinaryData"):
        encoding, dtype = "text", dtype.newbyteorder("=")
    elif _is_true(fields, "CompressedData"):
        encoding = "zlib"
    name = fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return where, Payload(shape, dtype, encoding, end)
    if name.split()[:1] == ["LIST"] or "%" in name:
        raise broken("the voxels are spread over several files, which is not read", where)
    data_path = beside(where, name)
    start = _whole(fields.get("HeaderSize") or "0", "HeaderSize", where)
    payload = Payload(shape, dtype, encoding, max(start, 0))
    if start == -1 and encoding == "raw":  # the voxels are the last bytes of the file
        with opened(data_path) as (_, size):
            return data_path, Payload(shape, dtype, encoding, max(size - payload.nbytes, 0))
    if start < 0:
        raise broken("the header's HeaderSize is damaged", where)
    return data_path, payload


def _arranged(raw: Array, shape: tuple[int, ...], dimensions: int, where: Path) -> tuple[Array, list[Finding]]:
    """Flat in file order -> (i, j, k) or (i, j, k, t)."""
    channels = shape[0] if len(shape) > dimensions else 1
    sizes = shape[-dimensions:]
    extra = tuple(size for size in sizes[3:] if size > 1)
    if len(extra) + (channels > 1) > 1:
        raise layout.too_many_dimensions(shape, where)
    grid = (*sizes, 1)[:3]
    if channels > 1 and layout.is_colour(channels, raw.dtype):
        grey, findings = layout.brightness(raw.reshape(-1, channels))
        return grey.reshape(grid, order="F"), findings
    voxels, findings = layout.plain_numbers(raw)
    if channels > 1:
        findings.append(layout.vector(channels))
        return np.moveaxis(voxels.reshape((channels, *grid), order="F"), 0, -1), findings
    if extra:
        findings.append(layout.time_series(extra[0]))
    return voxels.reshape((*grid, *extra), order="F"), findings


def _affine(fields: dict[str, str], count: int, where: Path) -> tuple[Array, list[Finding]]:
    findings = []
    spacing_text = _first(fields, "ElementSpacing", "ElementSize")
    spacing = _reals(spacing_text, count, "ElementSpacing", where) if spacing_text else np.ones(count)
    if not spacing_text:
        message = "The header does not say how large a voxel is; 1 mm along every side was assumed."
        findings.append(Finding("no_spacing", "warning", message))
    if (spacing[:3] < 0).any():
        raise broken("the header declares a negative voxel size", where)
    matrix_text = _first(fields, "TransformMatrix", "Rotation", "Orientation")
    matrix = np.eye(count)
    if matrix_text:
        matrix = _reals(matrix_text, count * count, "TransformMatrix", where).reshape(count, count)
    else:
        message = "The header does not say how the scan lies in the patient: left and right are a guess."
        findings.append(Finding("no_orientation", "warning", message))
    offset_text = _first(fields, "Offset", "Position", "Origin")
    offset = _reals(offset_text, count, "Offset", where) if offset_text else np.zeros(count)
    used = min(count, 3)
    directions, origin = np.eye(3), np.zeros(3)
    directions[:used, :used] = matrix[:used, :used].T * spacing[:used]
    origin[:used] = offset[:used]
    affine = ras_from(LPS, directions, origin)
    check_affine(affine, where)
    return affine, findings
