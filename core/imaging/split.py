"""One DICOM series, several grids: a localizer in three directions, a scout before the slices, pictures of two sizes.

A grid has one direction, one size and one pixel spacing, so such a series is split by these; each part can be chosen
and read alone. A part that lacks slices where another part has one is no scan of its own: the reader refuses it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.errors import UnreadableScan
from core.imaging.dicomfile import DicomFile
from core.imaging.frames import Geometry, geometries_of

# A series with more is no set of stacks: each image has a direction of its own (projections around the patient).
_MOST_PARTS = 16
_TOLERANCE = 1e-3
_SEPARATOR = "#"


@dataclass
class Part:
    """Images of one series that can share a grid.

    uid: of the series, with "#1", "#2" ... where it has several parts. frames: by file, which of its frames belong
    here. differs: what tells the parts apart, such as "orientations"; empty for a series that is one part.
    """

    uid: str
    files: list[DicomFile] = field(default_factory=list)
    frames: dict[Path, set[int]] = field(default_factory=lambda: defaultdict(set))
    differs: str = ""
    number: int = 1
    parts: int = 1

    @property
    def series(self) -> str:
        return series_of(self.uid)

    @property
    def images(self) -> int:
        return sum(len(indices) for indices in self.frames.values())


def series_of(uid: str) -> str:
    """The DICOM series UID of a part's UID.

    >>> series_of("1.2.3#2"), series_of("1.2.3")
    ('1.2.3', '1.2.3')
    """
    return uid.partition(_SEPARATOR)[0]


def split(uid: str, files: Sequence[DicomFile]) -> list[Part]:
    """The parts of a series, in the order of its images; one part of all where it need not or cannot be split."""
    parts: list[tuple[Geometry, Part]] = []
    whole = Part(uid, list(files))
    for file in sorted(files, key=_number):
        geometries: Sequence[Geometry | None] = [None]
        with suppress(UnreadableScan):  # told when it is read
            geometries = geometries_of(file)
        for index, geometry in enumerate(geometries):
            whole.frames[file.path].add(index)
            if geometry is None or len(parts) > _MOST_PARTS:
                continue
            part = next((part for known, part in parts if _alike(known, geometry)), None)
            if part is None:
                part = Part(f"{uid}{_SEPARATOR}{len(parts) + 1}")
                parts.append((geometry, part))
            if file.path not in part.frames:
                part.files.append(file)
            part.frames[file.path].add(index)
    found = [part for _, part in parts]
    if not 1 < len(found) <= _MOST_PARTS or sum(part.images for part in found) < whole.images:
        return [whole]
    for number, part in enumerate(found, start=1):
        part.number = number
        part.differs, part.parts = _difference([geometry for geometry, _ in parts]), len(found)
    return found


def _alike(one: Geometry, other: Geometry) -> bool:
    if one == other:
        return True
    if (one.rows, one.columns, one.placed) != (other.rows, other.columns, other.placed):
        return False
    return _same_direction(one, other) and _same_spacing(one, other)


def _same_direction(one: Geometry, other: Geometry) -> bool:
    return one.orientation == other.orientation or bool(
        np.abs(np.subtract(one.orientation, other.orientation)).max() <= _TOLERANCE
    )


def _same_spacing(one: Geometry, other: Geometry) -> bool:
    return one.pixel_spacing == other.pixel_spacing or bool(
        np.abs(np.divide(one.pixel_spacing, other.pixel_spacing) - 1).max() <= _TOLERANCE
    )


def _difference(found: list[Geometry]) -> str:
    first = found[0]
    if any(other.placed != first.placed for other in found):
        return "slices with pictures that have no place"
    if not all(_same_direction(first, other) for other in found):
        return "images of different orientations"
    if any((other.rows, other.columns) != (first.rows, first.columns) for other in found):
        return "images of different sizes"
    return "images of different pixel spacings"


def _number(file: DicomFile) -> int:
    try:
        return int(file.header.get("InstanceNumber") or 0)
    except Exception:  # an element that cannot be parsed
        return 0
