"""Structures of the left and the right side: which belong together, and how much their volumes differ."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SIDES = ("left", "right")
ALL = "Total"


@dataclass(frozen=True)
class Asymmetry:
    """How much larger a structure is on the left than on the right, in percent; None where neither was found."""

    name: str
    percent: float | None

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "percent": None if self.percent is None else round(self.percent, 2)}

    @property
    def text(self) -> str:
        """The figure for people, with its sign.

        >>> Asymmetry("Hippocampus", 4.21).text, Asymmetry("Hippocampus", -0.01).text
        ('+4.2 %', '0.0 %')
        """
        if self.percent is None:
            return "–"
        rounded = round(self.percent, 1)
        return f"{rounded:+.1f} %" if rounded else "0.0 %"


def side(name: str) -> str:
    """ "left", "right" or "", from a structure's name.

    >>> side("Anterior hippocampus, left"), side("Right-Putamen"), side("Liver")
    ('left', 'right', '')
    """
    return next((word.lower() for word in _words(name) if word.lower() in SIDES), "")


def asymmetries(structures: Iterable[Mapping[str, Any]]) -> list[Asymmetry]:
    """The asymmetry index of each pair of structures whose names differ in their side only.

    The index of the volumes L and R is (L - R) / ((L + R) / 2), in percent: 0 where both sides are alike, positive
    where the left one is larger, and +200 or -200 where one side was not found. Where there are several pairs and
    nothing else, that of all left to all right structures follows under the name "Total".

    structures: as in a prediction's result, with `name` and `volume_ml`.
    """
    structures = list(structures)
    pairs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for structure in structures:
        if which := side(structure["name"]):
            pairs[_without_side(structure["name"])][which].append(float(structure["volume_ml"]))
    whole = {name: sides for name, sides in pairs.items() if all(len(sides[which]) == 1 for which in SIDES)}
    found = [Asymmetry(name, _index(sides["left"][0], sides["right"][0])) for name, sides in whole.items()]
    if len(found) > 1 and 2 * len(found) == len(structures):
        left, right = (sum(sides[which][0] for sides in whole.values()) for which in SIDES)
        found.append(Asymmetry(ALL, _index(left, right)))
    return found


def _index(left: float, right: float) -> float | None:
    mean = (left + right) / 2
    return 100 * (left - right) / mean if mean > 0 else None


def _without_side(name: str) -> str:
    bare = " ".join(word for word in _words(name) if word.lower() not in SIDES)
    return bare[:1].upper() + bare[1:]


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\s,_-]+", name) if word]
