"""Reading NIfTI-1 and NIfTI-2: .nii, .nii.gz and .hdr/.img pairs, either byte order, every data type.

An uncompressed file is memory-mapped, so only its header is read. A compressed one is decoded in one pass into an
array of the size that its header declares, and no further.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import UnreadableScan
from core.imaging import gz, layout
from core.imaging.checks import voxel_findings
from core.imaging.header import DATA_TYPES, NIFTI1, NIFTI2, parse
from core.imaging.partial import Early, hand_over
from core.imaging.payload import Encoding, Payload, broken, opened, read_payload
from core.imaging.transform import place
from core.imaging.volume import Finding, Source, Volume

Array = np.ndarray[Any, Any]

HEADER_BYTES = 540  # NIfTI-2; NIfTI-1 has 348
# A memory-mapped file up to this size is looked through at once; a larger one when its checks are asked for.
CHECKED_AT_ONCE = 32 * 2**20

_COLOURS = {128: 3, 2304: 4}  # RGB24, RGBA32: bytes of a voxel
_MAGIC = {b"n+1\0": False, b"ni1\0": True, b"n+2\0\r\n\x1a\n": False, b"ni2\0\r\n\x1a\n": True}


@dataclass(frozen=True)
class _Declared:
    """What a header says about its voxels, after checks."""

    format: str
    header: Any
    pair: bool
    shape: tuple[int, ...]  # as in the file
    dtype: np.dtype[Any]
    channels: int  # bytes of a colour voxel, else 1
    offset: int
    slope: float
    intercept: float


def is_nifti(head: bytes) -> bool:
    """Whether the first bytes (uncompressed) look like a NIfTI header."""
    return head[344:348] in _MAGIC or head[4:12] in _MAGIC


def read_nifti(path: Path, control: JobControl, early: Early | None = None) -> Volume:
    """Read a NIfTI file or either file of a pair. Raises UnreadableScan that says what is wrong with it.

    early: see `core.imaging.reader.read`.
    """
    header_path, data_path = _files(path)
    head = _head(header_path)
    declared = _declared(head, header_path, pair=data_path != header_path)
    if not declared.pair:
        data_path = header_path
    shape = declared.shape if declared.channels == 1 else (declared.channels, *declared.shape)
    encoding: Encoding = "gzip" if _is_compressed(data_path) else "raw"
    payload = Payload(shape, declared.dtype, encoding, skip=declared.offset)
    grid, extra = _arranged(declared, header_path)
    placement = place(declared.header, grid, header_path)
    source = Source(path, declared.format, form_codes=placement.codes)
    if declared.channels > 1 or declared.dtype.kind == "c":  # their numbers are not what is shown
        early = None
    begun = hand_over(early, (*grid, *extra), placement.affine_ras, source, declared.slope, declared.intercept)
    raw, findings = read_payload(data_path, payload, control, begun)
    voxels, more = _plain(raw, declared, (*grid, *extra))
    findings += [*more, *placement.findings]
    if not isinstance(voxels, np.memmap) or voxels.nbytes <= CHECKED_AT_ONCE:
        findings += voxel_findings(voxels, control)
    return Volume(voxels, placement.affine_ras, source, declared.slope, declared.intercept, tuple(findings))


def _files(path: Path) -> tuple[Path, Path]:
    """The files that hold the header and the voxels: the same one but for a .hdr/.img pair."""
    name = path.name
    lower = name.lower()
    for suffix, other in ((".hdr", ".img"), (".img", ".hdr"), (".hdr.gz", ".img.gz"), (".img.gz", ".hdr.gz")):
        if lower.endswith(suffix):
            stem = name[: -len(suffix)]
            own = name[-len(suffix) :]
            candidates = [stem + (other.upper() if own.isupper() else other), stem + other]
            candidates += [c[:-3] if c.lower().endswith(".gz") else c + ".gz" for c in candidates]
            partner = next((path.with_name(c) for c in candidates if path.with_name(c).exists()), None)
            if partner is None:
                if suffix.startswith(".hdr"):
                    return path, path  # some single files are named so; the magic tells
                raise UnreadableScan(
                    f"the header {candidates[0]} is missing", where=path, mend="Put the .hdr file beside the .img file."
                )
            return (path, partner) if suffix.startswith(".hdr") else (partner, path)
    return path, path


def _is_compressed(path: Path) -> bool:
    with opened(path) as (file, _):
        return bool(file.read(2) == gz.MAGIC)


def _head(path: Path) -> bytes:
    compressed = _is_compressed(path)
    with opened(path) as (file, size):
        if size == 0:
            raise UnreadableScan("the file is empty", where=path, mend="Copy or download it again.")
        head: bytes = (gz.reader(file) if compressed else file).read(HEADER_BYTES)
    return head


def _declared(head: bytes, where: Path, *, pair: bool) -> _Declared:
    """Check the header field by field; nothing is allocated from it before that."""
    header, version, order = _header(head, where)
    magic = bytes(head[344:348]) if version == 1 else bytes(head[4:12])
    in_two = _MAGIC[magic]
    if in_two and not pair:
        raise UnreadableScan("this is only the header of a pair", where=where, mend="Put the .img file beside it.")
    dim = [int(n) for n in header["dim"]]
    if not 1 <= dim[0] <= 7:
        raise broken(f"the header declares {dim[0]} dimensions", where)
    shape = tuple(dim[1 : dim[0] + 1])
    if min(shape) < 1:
        raise broken(f"the header declares a size of {' x '.join(map(str, shape))} voxels", where)
    code = int(header["datatype"])
    bits = int(header["bitpix"])
    if code in DATA_TYPES:
        dtype, channels = np.dtype(order + DATA_TYPES[code]), 1
    elif code in _COLOURS:
        dtype, channels = np.dtype("u1"), _COLOURS[code]
    else:
        raise broken(f"the header declares the voxel type {code}, which is unknown or not read", where)
    if bits != dtype.itemsize * channels * 8:
        raise broken(f"the header declares {bits} bits for voxels of {dtype.itemsize * channels * 8} bits", where)
    offset = float(header["vox_offset"])
    least = 0 if in_two else (352 if version == 1 else 544)
    if not math.isfinite(offset) or offset != int(offset) or offset < least:
        raise broken(f"the header says that the voxels begin at byte {offset:g}, inside the header", where)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0:  # the standard's way to say: no scaling
        slope, intercept = 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise broken(f"the header scales its values by {slope:g} and {intercept:g}", where)
    return _Declared(f"NIfTI-{version}", header, in_two, shape, dtype, channels, int(offset), slope, intercept)


def _header(head: bytes, where: Path) -> tuple[Any, int, str]:
    """The header's fields, the version of the format and the byte order, which its size field tells."""
    if len(head) >= 348:
        for order, name in (("<", "little"), (">", "big")):
            size = int.from_bytes(head[:4], name)  # type: ignore[arg-type]
            if size == 348 and head[344:348] in _MAGIC:
                return parse(head, NIFTI1, order), 1, order
            if size == 540 and head[4:12] in _MAGIC and len(head) >= 540:
                return parse(head, NIFTI2, order), 2, order
            if size == 348 and not head[344:348].strip(b"\0"):
                raise UnreadableScan(
                    "this is an ANALYZE 7.5 file, which does not say how the scan lies in the patient",
                    where=where,
                    mend="Convert it to NIfTI with a program that knows its orientation.",
                )
    elif len(head) >= 4 and 348 in (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")):
        raise UnreadableScan("the header is cut off", where=where, mend="Copy or download the file again.")
    raise UnreadableScan(
        "this is not a NIfTI file, or its header is damaged",
        where=where,
        mend="Check that it is a scan, and copy or download it again.",
    )


def _arranged(declared: _Declared, where: Path) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """The size of the grid, and the number of time points or values of a voxel where there are several."""
    extra = tuple(n for n in declared.shape[3:] if n > 1)
    if len(extra) > 1:
        raise layout.too_many_dimensions(declared.shape, where)
    i, j, k = (*declared.shape, 1, 1)[:3]
    return (i, j, k), extra


def _plain(raw: Array, declared: _Declared, shape: tuple[int, ...]) -> tuple[Array, list[Finding]]:
    """(i, j, k) or (i, j, k, t) numbers in this computer's byte order."""
    if declared.channels > 1:
        raw, findings = layout.brightness(raw.reshape(-1, declared.channels))
    else:
        raw, findings = layout.plain_numbers(raw)
    if len(shape) > 3:
        is_vector = len(declared.shape) > 4 and declared.shape[3] == 1
        findings.append(layout.vector(shape[3]) if is_vector else layout.time_series(shape[3]))
    return raw.reshape(shape, order="F"), findings
