from __future__ import annotations

import pytest
from pydicom.sr.codedict import codes

from core.export.codes import _table, coded


def described(name: str, subject: str = "") -> tuple[str, ...]:
    found = coded(name, subject)
    return (found.type.meaning, *(one.meaning for one in found.modifiers))


@pytest.mark.parametrize(
    ("name", "subject", "says"),
    [
        ("Hippocampus", "", ("Hippocampus",)),
        ("Anterior hippocampus, left", "", ("Hippocampus", "Anterior", "Left")),
        ("Anterior", "hippocampus", ("Hippocampus", "Anterior")),
        ("Left-Thalamus-Proper", "", ("Thalamus", "Left")),
        ("kidney_right", "", ("Kidney", "Right")),
        ("Lungs", "", ("Lung",)),
        ("Left ventricle", "", ("Left ventricle",)),
        ("Lateral ventricle, right", "", ("Lateral Ventricle", "Right")),
    ],
)
def test_names_are_understood_in_their_usual_spellings(name, subject, says):
    assert described(name, subject) == says


@pytest.mark.parametrize(
    ("name", "subject"),
    [("Label 3", "hippocampus"), ("Not a liver", ""), ("Anterior", "prometheus"), ("海馬", ""), ("", "")],
)
def test_what_is_not_known_for_sure_stays_plain_tissue(name, subject):
    assert described(name, subject) == ("Tissue",)


def test_every_code_is_one_of_the_standard_s_dictionary():
    types, qualifiers, _ = _table()
    known = {(code.value, code.meaning) for code in (getattr(codes.SCT, name) for name in codes.SCT.dir())}
    for code in [*qualifiers.values(), *(one for pair in types.values() for one in pair)]:
        assert tuple(code) in known, code
