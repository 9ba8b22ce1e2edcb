"""Siemens mosaics: all slices of a volume as tiles of one picture, placed by a private header.

The place of the picture is that of a plane as large as all tiles together, so the first slice's corner lies inside of
it; the slices then follow along the normal that the private header gives (Chen, Morgan: the "CSA header" as nibabel
describes it, https://nipy.org/nibabel/dicom/siemens_csa.html).
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_MOST_TAGS, _MOST_ITEMS = 512, 4096
_MARK = 77  # stands after the number of entries in both kinds of the private header


def is_mosaic(header: Any) -> bool:
    return "MOSAIC" in (header.get("ImageType") or [])


def tile_count(header: Any) -> int:
    """How many tiles of a mosaic are slices. Raises ValueError where the header does not say."""
    texts = _csa_texts(header, "NumberOfImagesInMosaic")
    if texts:
        return int(texts[0])
    count = header.get("TilesInMosaic")
    if count is None:
        raise ValueError("no number of tiles")
    return int(count)


def tile_grid(count: int, rows: int, columns: int) -> tuple[int, int, list[tuple[int, int]]]:
    """Rows and columns of a tile, and where in the picture each begins. Raises ValueError where they do not fit."""
    across = math.ceil(math.sqrt(count)) if count > 0 else 0
    if across < 1 or rows % across or columns % across:
        raise ValueError("tiles that do not fit the picture")
    height, width = rows // across, columns // across
    return height, width, [(k // across * height, k % across * width) for k in range(count)]


def slice_normal(header: Any, orientation: Array) -> Array:
    """The direction from slice to slice: the private header's, which may run against the rule of the right hand."""
    normal = np.cross(orientation[:3], orientation[3:])
    texts = _csa_texts(header, "SliceNormalVector")
    if len(texts) >= 3:
        own = np.array([float(text) for text in texts[:3]])
        return -normal if np.dot(own, normal) < 0 else normal
    return normal


def _csa_texts(header: Any, name: str) -> list[str]:
    """The values of one entry of the private header; empty where it is missing.

    Raises ValueError or struct.error where it is damaged.
    """
    data = header.get("CSAImageHeader") or b""
    if not data:
        return []
    second = data.startswith(b"SV10")  # the first kind has no mark of its own
    place = 8 if second else 0
    count, mark = struct.unpack_from("<II", data, place)
    if mark != _MARK:
        return []
    place += 8
    first_items = None
    for _ in range(min(count, _MOST_TAGS)):
        label, items = struct.unpack_from("<64s12xi", data, place)
        place += 84
        first_items = items if first_items is None else first_items
        texts = []
        for _ in range(min(items, _MOST_ITEMS)):
            lengths = struct.unpack_from("<2i8x", data, place)
            # The first kind counts the items of the very first entry into each length.
            length = lengths[1] if second else lengths[0] - first_items
            place += 16
            if not second and length < 0:  # the last of its items is empty
                break
            if not 0 <= length <= len(data) - place:
                raise ValueError("a damaged private header")
            texts.append(data[place : place + length].split(b"\0")[0].decode("latin-1").strip())
            place += (length + 3) // 4 * 4
        if label.split(b"\0")[0] == name.encode():
            return [text for text in texts if text]
    return []
