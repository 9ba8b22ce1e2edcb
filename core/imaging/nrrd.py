"""NRRD, attached (.nrrd) and detached (.nhdr): http://teem.sourceforge.net/nrrd/format.html.

The transform is `space directions` and `space origin`, turned from the header's `space` to RAS. A header without an
anatomical space is taken as left-posterior-superior, as ITK takes it, and a warning says that this is a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.imaging import layout
from core.imaging.checks import voxel_findings
from core.imaging.nrrd_files import data_files, hexadecimal, is_list, joined
from core.imaging.partial import Early, hand_over
from core.imaging.payload import Encoding, Payload, broken, opened, read_payload
from core.imaging.transform import LPS, check_affine, in_mm, ras_from, shear_findings
from core.imaging.volume import Finding, Source, Volume

Array = np.ndarray[Any, Any]

MAGIC = b"NRRD"
_MOST_HEADER = 4 * 2**20  # segmentations name their structures in it
_MOST_AXES = 16
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPES = {name: code for code, names in _TYPES.items() for name in names}
_ENCODINGS: dict[str, Encoding] = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2", "text": "text", "txt": "text",
    "ascii": "text", "hex": "raw",
}  # fmt: skip
_RAS, _LAS = np.array([1.0, 1.0, 1.0]), np.array([-1.0, 1.0, 1.0])
_SPACES = {
    "right-anterior-superior": _RAS, "ras": _RAS, "left-anterior-superior": _LAS, "las": _LAS,
    "left-posterior-superior": LPS, "lps": LPS,
}  # fmt: skip
_UNITS = {"m": 1, "um": 3, "µm": 3, "μm": 3}
_COLOUR_KINDS = ("rgb-color", "rgba-color", "3-color", "4-color")
_SPACE_KINDS = ("domain", "space", "none", "???")


@dataclass(frozen=True)
class _Axis:
    """One axis of the file: in space where it has a direction, else time, colours or other values of a voxel."""

    size: int
    kind: str
    direction: Array | None  # (3,) in the header's space


def read_nrrd(path: Path, control: JobControl, early: Early | None = None) -> Volume:
    """Read a NRRD file. Raises UnreadableScan that says what is wrong with it.

    early: see `core.imaging.reader.read`; not used for several files, nor with further axes than those in space.
    """
    fields, end = _header(path)
    axes, origin, findings = _axes(fields, path)
    files, payload = _payload(fields, axes, path, end)
    affine, place_findings = _affine(fields, axes, origin, path)
    source = Source(path, "NRRD")
    if len(files) > 1 or any(axis.direction is None and axis.size > 1 for axis in axes):
        early = None
    begun = hand_over(early, _grid(axes), affine, source)

    def read_one(file: Path) -> tuple[Array, list[Finding]]:
        own = _placed(fields, payload, file, 0 if "data file" in fields else end)
        if _is_hexadecimal(fields):
            return hexadecimal(file, own)
        return read_payload(file, own, control.silent() if len(files) > 1 else control, begun)

    if len(files) > 1:
        whole = replace(payload, shape=tuple(axis.size for axis in axes))
        raw, more = joined(files, whole, read_one, control)
    else:
        raw, more = read_one(files[0])
    voxels, layout_findings = _arranged(raw, axes, path)
    findings += more + layout_findings + place_findings + shear_findings(affine)
    if not isinstance(voxels, np.memmap):
        findings += voxel_findings(voxels, control)
    return Volume(voxels, affine, source, findings=tuple(findings))


def header_text(dtype: np.dtype[Any], shape: tuple[int, ...], affine_ras: Array) -> bytes:
    """The header of an attached file with gzip encoding, up to and with its closing empty line."""
    lps = affine_ras[:3] * LPS[:, None]
    directions = [_vector(lps[:, axis]) for axis in range(3)]
    endian = "" if dtype.itemsize == 1 else "endian: little\n"
    more = len(shape) - 3
    return (
        f"NRRD0004\n# Written by Isocenter\ntype: {_TYPES[dtype.str[1:]][-1]}\ndimension: {len(shape)}\n"
        f"space: left-posterior-superior\nsizes: {' '.join(map(str, shape))}\n"
        f"space directions: {' '.join(directions + ['none'] * more)}\n"
        f"kinds: {' '.join(['domain'] * 3 + ['list'] * more)}\n"
        f"{endian}encoding: gzip\nspace origin: {_vector(lps[:, 3])}\n\n"
    ).encode("ascii")


def _vector(values: Array) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


def _header(path: Path) -> tuple[dict[str, str], int]:
    """The fields by lower-case name, and where the header ends in the file."""
    fields: dict[str, str] = {}
    with opened(path) as (file, _):
        if not re.fullmatch(rb"NRRD\d{4}\r?\n?", file.readline(16)):
            raise broken("this is not a NRRD file, or its header is damaged", path)
        while file.tell() < _MOST_HEADER:
            line = file.readline(_MOST_HEADER)
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:  # the empty line before attached voxels, or the end of a detached header
                return fields, file.tell()
            name, separator, value = text.partition(":")
            if text.startswith("#") or value.startswith("="):  # a comment, or free text of its own name
                continue
            if not separator:
                raise broken("a line of the header is no field", path)
            name = name.strip().lower().replace("datafile", "data file")
            if name in fields:
                raise broken(f"the header says twice what its {_shown(name)} is", path)
            fields[name] = value.strip()
            if name == "data file" and is_list(fields[name]):  # the names follow, to the end of the file
                return fields, file.tell()
    raise broken("the header does not end", path)


def _field(fields: dict[str, str], name: str, where: Path) -> str:
    if name not in fields:
        raise broken(f"the header does not say what its {name} is", where)
    return fields[name]


def _numbers(text: str, name: str, where: Path) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        raise broken(f"the header's {name} is damaged", where) from None


def _whole(text: str, name: str, where: Path) -> int:
    try:
        return int(text)
    except ValueError:
        raise broken(f"the header's {name} is damaged", where) from None


def _vectors(text: str, name: str, where: Path) -> list[Array | None]:
    """Vectors in brackets, `none` for an axis without one; of more than three numbers the first three."""
    vectors: list[Array | None] = []
    for word in re.findall(r"\([^()]*\)|[^()\s]+", text):
        if word.lower() == "none":
            vectors.append(None)
            continue
        numbers = _numbers(word.strip("()").replace(",", " "), name, where)
        if not (word.startswith("(") and len(numbers) in (2, 3, 4)):
            raise broken(f"the header's {name} is damaged", where)
        vectors.append(np.array([*numbers, 0.0][:3]))
    return vectors


def _axes(fields: dict[str, str], where: Path) -> tuple[list[_Axis], Array, list[Finding]]:
    """The file's axes and the place of the first voxel, in the header's space."""
    count = _whole(_field(fields, "dimension", where), "dimension", where)
    sizes = [_whole(word, "sizes", where) for word in _field(fields, "sizes", where).split()]
    if not 2 <= count <= _MOST_AXES:
        raise broken(f"the header declares {count} dimensions", where)
    if len(sizes) != count or min(sizes) < 1:
        raise broken(f"the header declares a size of {_shown(' x '.join(map(str, sizes)))} voxels", where)
    kinds = [kind.lower() for kind in fields.get("kinds", "").split()] or ["???"] * count
    if len(kinds) != count:
        raise broken("the header's kinds are not as many as its dimensions", where)
    findings: list[Finding] = []
    if "space directions" in fields:
        directions = _vectors(fields["space directions"], "space directions", where)
        if len(directions) != count:
            raise broken("the header's space directions are not as many as its dimensions", where)
        for axis, direction in enumerate(directions):
            # In a space with time, the axis that only runs through time has no direction in ours.
            if direction is not None and not direction.any() and kinds[axis] == "time":
                directions[axis] = None
    else:
        directions = _unturned(fields, kinds, where, findings)
    in_space = sum(direction is not None for direction in directions)
    if in_space not in (2, 3):
        raise broken(f"the header places {in_space} axes in space", where)
    origin = np.zeros(3)
    if "space origin" in fields:
        vectors = _vectors(fields["space origin"], "space origin", where)
        if len(vectors) != 1 or vectors[0] is None:
            raise broken("the header's space origin is damaged", where)
        origin = vectors[0]
    axes = [_Axis(*facts) for facts in zip(sizes, kinds, directions, strict=True)]
    return axes, origin, findings


def _unturned(fields: dict[str, str], kinds: list[str], where: Path, findings: list[Finding]) -> list[Array | None]:
    """Directions of a header that has only voxel sizes: along the axes of the space, one after the other."""
    count = len(kinds)
    spacings = _numbers(fields.get("spacings", ""), "spacings", where) or [np.nan] * count
    if len(spacings) != count:
        raise broken("the header's spacings are not as many as its dimensions", where)
    known = np.isfinite(spacings)
    placed = [i for i in range(count) if kinds[i] in _SPACE_KINDS and (known[i] or not known.any())][:3]
    if not known.any():
        message = "The header does not say how large a voxel is; 1 mm along every side was assumed."
        findings.append(Finding("no_spacing", "warning", message))
    directions: list[Array | None] = [None] * count
    for place, axis in enumerate(placed):
        directions[axis] = np.eye(3)[place] * (spacings[axis] if known[axis] else 1.0)
    return directions


def _is_hexadecimal(fields: dict[str, str]) -> bool:
    return fields.get("encoding", "").lower() == "hex"


def _payload(fields: dict[str, str], axes: list[_Axis], where: Path, end: int) -> tuple[list[Path], Payload]:
    """Which files hold the voxels, and how each of them does."""
    kind = " ".join(_field(fields, "type", where).lower().split())
    if kind not in _DTYPES:
        raise broken(f"the header declares the voxel type {_shown(kind)}, which is unknown or not read", where)
    dtype = np.dtype(_DTYPES[kind])
    encoding = _field(fields, "encoding", where).lower()
    if encoding not in _ENCODINGS:
        raise broken(f"the header declares the encoding {_shown(encoding)}, which is unknown or not read", where)
    if dtype.itemsize > 1 and _ENCODINGS[encoding] != "text":
        endian = _field(fields, "endian", where).lower()
        if endian not in ("little", "big"):
            raise broken(f"the header declares the byte order {_shown(endian)}", where)
        dtype = dtype.newbyteorder("<" if endian == "little" else ">")
    files, shape = [where], tuple(axis.size for axis in axes)
    if "data file" in fields:
        files, shape = data_files(fields["data file"], shape, where, end)
    return files, Payload(shape, dtype, _ENCODINGS[encoding])


def _placed(fields: dict[str, str], payload: Payload, file: Path, end: int) -> Payload:
    """Where in a file the voxels begin; `end` of what stands before them."""
    start = _after_lines(file, end, _skip(fields, "line skip", file))
    skip = _skip(fields, "byte skip", file)
    if skip == -1 and payload.encoding == "raw" and not _is_hexadecimal(fields):  # the last bytes of the file
        with opened(file) as (_, size):
            return replace(payload, start=max(start, size - payload.nbytes))
    if skip < 0:
        raise broken("the header's byte skip is damaged", file)
    return replace(payload, start=start, skip=skip)


def _skip(fields: dict[str, str], name: str, where: Path) -> int:
    return _whole(fields.get(name, fields.get(name.replace(" ", ""), "0")), name, where)


def _after_lines(path: Path, start: int, lines: int) -> int:
    """Where the voxels begin after so many lines of text."""
    if lines <= 0:
        return start
    with opened(path) as (file, _):
        file.seek(start)
        for _ in range(lines):
            if not file.readline(_MOST_HEADER) or file.tell() > start + _MOST_HEADER:
                raise broken("the header's line skip is damaged", path)
        return int(file.tell())


def _grid(axes: list[_Axis]) -> tuple[int, int, int]:
    i, j, k = (*(axis.size for axis in axes if axis.direction is not None), 1)[:3]
    return i, j, k


def _arranged(raw: Array, axes: list[_Axis], where: Path) -> tuple[Array, list[Finding]]:
    """Flat in file order -> (i, j, k) or (i, j, k, t), the axes in space first."""
    sizes = tuple(axis.size for axis in axes)
    others = [i for i, axis in enumerate(axes) if axis.direction is None and axis.size > 1]
    if len(others) > 1:
        raise layout.too_many_dimensions(sizes, where)
    grid = _grid(axes)
    if not others:
        raw, findings = layout.plain_numbers(raw)
        return raw.reshape(grid, order="F"), findings
    other = axes[others[0]]
    last = np.moveaxis(raw.reshape(sizes, order="F"), others[0], -1).squeeze()
    if layout.is_colour(other.size, raw.dtype) and other.kind in _COLOUR_KINDS:
        grey, findings = layout.brightness(last.reshape(-1, other.size, order="F"))
        return grey.reshape(grid, order="F"), findings
    voxels, findings = layout.plain_numbers(last.reshape((*grid, other.size), order="F"))
    is_time = other.kind in ("time", *_SPACE_KINDS)
    findings.append(layout.time_series(other.size) if is_time else layout.vector(other.size))
    return voxels, findings


def _affine(fields: dict[str, str], axes: list[_Axis], origin: Array, where: Path) -> tuple[Array, list[Finding]]:
    findings = []
    space = fields.get("space", "").lower().removesuffix("-time")
    space = space[:-1] if space in ("rast", "last", "lpst") else space
    if space not in _SPACES or "space directions" not in fields:
        message = "The header does not say how the scan lies in the patient: left and right are a guess."
        findings.append(Finding("no_orientation", "warning", message))
    directions = [axis.direction for axis in axes if axis.direction is not None]
    if len(directions) == 2:  # a picture: one voxel of 1 mm deep
        normal = np.cross(directions[0], directions[1])
        length = float(np.linalg.norm(normal))
        directions.append(normal / length if np.isfinite(length) and length > 0 else np.zeros(3))
    affine = ras_from(_SPACES.get(space, LPS), np.array(directions).T, origin)
    check_affine(affine, where)
    units = {word.lower() for word in re.findall(r'"([^"]*)"', fields.get("space units", ""))} - {""}
    affine, more = in_mm(affine, _UNITS.get(units.pop(), 2) if len(units) == 1 else 2)
    check_affine(affine, where)
    return affine, findings + more


def _shown(text: str) -> str:
    """Words from a header for a message: short, and of plain letters only."""
    return "".join(letter for letter in text[:40] if letter.isprintable())
