"""A quick reading of the header of an ordinary DICOM file, three times as fast as the library's.

Only what is plain is read here: a file with its preamble, in little endian, its elements in order. For anything else
the answer is None, and the library reads the file. Both give the same elements.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.charset import convert_encodings
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from core.imaging.elements import ITEM_TAGS, TAGS

BYTES = 2**17  # what of a file is looked at
_PIXELS = 0x7FE00008
_CHARACTER_SET, _CLASS, _SYNTAX = 0x00080005, 0x00020002, 0x00020010
_IMPLICIT, _EXPLICIT, _COMPRESSED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4."
_RLE = "1.2.840.10008.1.2.5"
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DEEPEST = 16
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
}  # fmt: skip
_WANTED = frozenset(TAGS) | {_CHARACTER_SET}
_ITEMS = frozenset(ITEM_TAGS)
_head = struct.Struct("<HH2sH").unpack_from
_long = struct.Struct("<I").unpack_from
_item = struct.Struct("<HHI").unpack_from


@dataclass(frozen=True)
class QuickHeader:
    """The wanted elements, where the pixels' element begins, and two facts of the meta information."""

    dataset: Dataset
    end: int
    implicit: bool
    syntax: str
    storage_class: str


class _Unusual(Exception):
    """Something that the library had better read."""


def quick_header(data: bytes) -> QuickHeader | None:
    """The header at the start of a file's bytes; None where it is not plain, or goes on after them."""
    if data[128:132] != b"DICM":
        return None
    try:
        meta, start = _elements(data, 132, False, (_CLASS, _SYNTAX), 0x00030000)
        syntax = _text(meta, _SYNTAX)
        implicit = syntax == _IMPLICIT
        if not (implicit or syntax in (_EXPLICIT, _RLE) or syntax.startswith(_COMPRESSED)):
            return None
        found, end = _elements(data, start, implicit, _WANTED, _PIXELS)
        dataset = Dataset(found)
        letters = _text(found, _CHARACTER_SET).split("\\")
        dataset.set_original_encoding(implicit, True, convert_encodings(letters))
    except (_Unusual, struct.error, LookupError):
        return None
    return QuickHeader(dataset, end, implicit, syntax, _text(meta, _CLASS))


def _elements(
    data: bytes, place: int, implicit: bool, wanted: Container[int], stop: int
) -> tuple[dict[BaseTag, RawDataElement], int]:
    """The wanted elements before the tag `stop`, and where that one begins."""
    found: dict[BaseTag, RawDataElement] = {}
    last = -1
    while True:
        group, element, kind, length = _head(data, place)
        tag = group << 16 | element
        if tag >= stop:
            return found, place
        if tag <= last:
            raise _Unusual
        last = tag
        value, length = _value(data, place, kind, length, implicit)
        if length == _UNDEFINED:
            if tag in wanted:
                raise _Unusual
            place = _after_items(data, value, implicit, 0)
            continue
        place = value + length
        if tag in wanted:
            if tag in _ITEMS or place > len(data):
                raise _Unusual
            vr = None if implicit else kind.decode("ascii")
            found[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, length, data[value:place], value, implicit, True)


def _value(data: bytes, place: int, kind: bytes, length: int, implicit: bool) -> tuple[int, int]:
    """Where the value of the element at a place begins, and its length."""
    if implicit:
        return place + 8, _long(data, place + 4)[0]
    if kind in _SHORT:
        return place + 8, length
    if kind in _LONG:
        return place + 12, _long(data, place + 8)[0]
    raise _Unusual


def _after_items(data: bytes, place: int, implicit: bool, depth: int) -> int:
    """Where a sequence without a length ends."""
    if depth > _DEEPEST:
        raise _Unusual
    while True:
        group, element, length = _item(data, place)
        tag = group << 16 | element
        place += 8
        if tag == _SEQUENCE_END:
            return place
        if tag != _ITEM:
            raise _Unusual
        place = _after_item(data, place, implicit, depth) if length == _UNDEFINED else place + length


def _after_item(data: bytes, place: int, implicit: bool, depth: int) -> int:
    while True:
        group, element, kind, length = _head(data, place)
        if group << 16 | element == _ITEM_END:
            return place + 8
        value, length = _value(data, place, kind, length, implicit)
        place = _after_items(data, value, implicit, depth + 1) if length == _UNDEFINED else value + length


def _text(found: dict[BaseTag, RawDataElement], tag: int) -> str:
    raw = found.get(BaseTag(tag))
    return (raw.value or b"").decode("latin-1").strip(" \0") if raw is not None else ""
