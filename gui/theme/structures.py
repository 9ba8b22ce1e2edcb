"""Which colour each structure of a segmentation has, the same in slices, 3D and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtGui import QColor

from gui.theme.tokens import STRUCTURES


def structure_colours(structures: Iterable[Mapping[str, Any]]) -> dict[int, QColor]:
    """Colour by label value. The left and right of one structure share a colour: their place tells them apart."""
    colours: dict[int, QColor] = {}
    seen: dict[str, int] = {}
    for structure in structures:
        name = str(structure.get("name", structure["label"])).lower()
        key = " ".join(
            word for word in name.replace(",", " ").replace("_", " ").split() if word not in ("left", "right")
        )
        place = seen.setdefault(key, len(seen))
        colours[int(structure["label"])] = _colour(place)
    return colours


def _colour(place: int) -> QColor:
    if place < len(STRUCTURES):
        return QColor(STRUCTURES[place])
    hue = (place * 0.61803398875) % 1.0  # the golden angle spreads any number of hues
    return QColor.fromHsvF(hue, 0.55 + 0.3 * (place % 2), 0.95 - 0.25 * (place % 3 == 0))
