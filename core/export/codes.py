"""SNOMED CT codes of structures by their names, as DICOM segments carry them; the table is in resources/codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from core.config import read_yaml
from core.paths import RESOURCES


class Code(NamedTuple):
    """A concept of SNOMED CT."""

    value: str
    meaning: str


@dataclass(frozen=True)
class Coded:
    """What a segment is: its category, its type, and what narrows the type, such as a side."""

    category: Code
    type: Code
    modifiers: tuple[Code, ...] = ()


def coded(name: str, subject: str = "") -> Coded:
    """The codes of a structure's name, in any of the usual spellings; plain tissue where it is not known.

    subject: what is looked for where the name is nothing but qualifiers, such as the model's name: "Anterior, left"
    of the model "hippocampus" is the left anterior hippocampus.

    >>> coded("Left-Hippocampus").type.meaning, coded("kidney_right").modifiers[0].meaning
    ('Hippocampus', 'Right')
    >>> coded("Kidney wrapper").type.meaning
    'Tissue'
    """
    types, qualifiers, unknown = _table()
    bare, stripped = _words(name), []
    while not (found := _found(types, bare)) and bare:  # one by one, since "lateral" belongs to "lateral ventricle"
        at = next((at for at in (-1, 0) if bare[at] in qualifiers), None)
        if at is None:
            return unknown
        stripped.append(bare.pop(at))
    found = found or _found(types, _words(subject))
    modifiers = tuple(qualifiers[word] for word in _words(name) if word in stripped)
    return Coded(*found, modifiers) if found else unknown


def _found(types: Mapping[str, tuple[Code, Code]], words: list[str]) -> tuple[Code, Code] | None:
    key = " ".join(words)
    return types.get(key) or types.get(key.removesuffix("s"))


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.lower())


@cache
def _table() -> tuple[dict[str, tuple[Code, Code]], dict[str, Code], Coded]:
    """(category, type) by the structure's name, the qualifiers by their word, and what is not known."""
    content: dict[str, Any] = read_yaml((RESOURCES / "codes" / "structures.yaml").read_text(encoding="utf-8"))
    categories = {key: Code(*code) for key, code in content["categories"].items()}
    types = {
        name: (categories[category], Code(*code))
        for category, listed in content["structures"].items()
        for name, code in listed.items()
    }
    tissue = categories["tissue"]
    return types, {word: Code(*code) for word, code in content["qualifiers"].items()}, Coded(tissue, tissue)
