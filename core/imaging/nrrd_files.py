"""Where the voxels of a detached NRRD header lie: one file, a list of files, or names counted through by a pattern.

The forms of `data file` in http://teem.sourceforge.net/nrrd/format.html#detached; all files must lie beside the header.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.imaging.bounds import check_size
from core.imaging.payload import Payload, beside, broken, cut_off, opened
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

_PATTERN = re.compile(r"(?P<name>.*%0?\d?d.*?)\s+(?P<range>-?\d+\s+-?\d+\s+-?\d+)(?:\s+(?P<dim>\d+))?")
_LIST = re.compile(r"LIST(?:\s+(?P<dim>\d+))?")
_MOST_NAMES = 2**20


def is_list(value: str) -> bool:
    """Whether the names of the files follow the header, one a line, to its end."""
    return _LIST.fullmatch(value) is not None


def data_files(value: str, sizes: tuple[int, ...], where: Path, names_at: int) -> tuple[list[Path], tuple[int, ...]]:
    """The files with the voxels in their order, and the shape of what each of them holds.

    value: of the field `data file`. names_at: where the names of a list begin in the header.
    Raises UnreadableScan where they are not beside the header, or do not make up the whole.
    """
    listed, pattern = _LIST.fullmatch(value), _PATTERN.fullmatch(value)
    if listed is not None:
        names = _names(where, names_at)
        dimensions = listed["dim"]
    elif pattern is not None:
        first, last, step = map(int, pattern["range"].split())
        counted = range(first, last + (1 if step > 0 else -1), step) if step else range(0)
        _check_count(len(counted), sizes, where)
        names = [re.sub(r"%(0?\d?)d", lambda found, n=n: f"{n:{found[1]}d}", pattern["name"], count=1) for n in counted]
        dimensions = pattern["dim"]
    else:
        return [beside(where, value)], sizes
    shape = _each(len(names), int(dimensions) if dimensions else len(sizes) - 1, sizes, where)
    return [beside(where, name) for name in names], shape


def joined(
    files: list[Path], whole: Payload, read: Callable[[Path], tuple[Array, list[Finding]]], control: JobControl
) -> tuple[Array, list[Finding]]:
    """The numbers of all files, one after another. Raises UnreadableScan where a file lacks some."""
    check_size(whole.nbytes, files[0])
    numbers = np.empty(whole.count, whole.dtype)
    findings: dict[str, Finding] = {}
    each = whole.count // len(files)
    for done, file in enumerate(files):
        control.progress(done / len(files), f"Reading file {done + 1} of {len(files)}")
        numbers[done * each : (done + 1) * each], more = read(file)
        findings.update({finding.code: finding for finding in more})
    return numbers, list(findings.values())


def hexadecimal(path: Path, payload: Payload) -> tuple[Array, list[Finding]]:
    """Bytes written out as two digits each. Raises UnreadableScan where they are not all there."""
    check_size(payload.nbytes, path)
    with opened(path) as (file, size):
        if size - payload.start > 4 * (payload.skip + payload.nbytes) + _MOST_NAMES:
            raise broken("the file goes on long after its last voxel", path)
        file.seek(payload.start)
        try:
            data = bytes.fromhex(file.read().decode("ascii"))[payload.skip :]
        except ValueError:
            raise broken("the voxels are not written in hexadecimal digits", path) from None
    if len(data) < payload.nbytes:
        raise cut_off(payload.nbytes - len(data), payload, path)
    return np.frombuffer(data, payload.dtype, payload.count), []


def _names(where: Path, start: int) -> list[str]:
    with opened(where) as (file, _):
        file.seek(start)
        lines = file.read(_MOST_NAMES).decode("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _each(count: int, dimensions: int, sizes: tuple[int, ...], where: Path) -> tuple[int, ...]:
    """The shape of what each of so many files holds: slices, or slabs along the last axis."""
    _check_count(count, sizes, where)
    if dimensions == len(sizes) and sizes[-1] % count == 0:
        return (*sizes[:-1], sizes[-1] // count)
    if 0 < dimensions < len(sizes) and math.prod(sizes[dimensions:]) == count:
        return sizes[:dimensions]
    raise _other_count(count, where)


def _check_count(count: int, sizes: tuple[int, ...], where: Path) -> None:
    if not 0 < count <= min(math.prod(sizes), _MOST_NAMES):
        raise _other_count(count, where)


def _other_count(count: int, where: Path) -> Exception:
    return broken(f"the {count} files that the header names do not make up the scan that it declares", where)
