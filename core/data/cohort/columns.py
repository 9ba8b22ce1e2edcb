"""Which column of a cohort's table holds what, and which columns are clinical values with what range and unit."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.cohort.settings import CohortDataConfig
from core.data.cohort.subject import Feature
from core.imaging.volume import Finding

Cells = Sequence[str | None]

USUAL: Mapping[str, tuple[str, ...]] = {
    "subject": ("participant_id", "subject", "subject_id", "ptid", "patient", "patient_id", "rid", "id"),
    "visit": ("session_id", "session", "visit", "viscode", "visit_id", "timepoint"),
    "mri": ("mri", "mri_path", "t1", "t1w", "t1_path", "t1w_path"),
    "pet": ("pet", "pet_path", "fdg", "fdg_path"),
}
USUAL_TARGETS = {
    "risk": ("risk_score", "risk", "score", "target"),
    "mmse": ("mmse", "mmse_total", "mmscore"),
    "cdr_sb": ("cdr_sb", "cdrsb", "cdr_sum_of_boxes"),
}
USUAL_FACTS = ("age", "sex", "gender", "scanner", "manufacturer", "site")
SEXES = (("f", "m"), ("female", "male"), ("w", "m"))
# Columns that are about the row, not about the person's health.
NEVER_LEARNED = ("scanner", "manufacturer", "site", "date", "diagnosis", "dx", "group")
LEAST_NUMBERS = 0.5  # of the filled cells of a column of clinical values
SIDECAR_BYTES = 20_000_000


@dataclass(frozen=True)
class Chosen:
    """The columns of a table by what they hold; "" and () where there is none."""

    subject: str
    visit: str
    mri: str
    pet: str
    target: str
    facts: tuple[str, ...]
    features: tuple[str, ...]


def choose(table: Mapping[str, Cells], data: CohortDataConfig, told: Mapping[str, Any]) -> tuple[Chosen, list[Finding]]:
    """The columns asked for, or those of the usual names; what is not there is a finding."""
    findings: list[Finding] = []
    by_small = {name.lower(): name for name in reversed(list(table))}

    def one(key: str, usual: Sequence[str]) -> str:
        asked = getattr(data.columns, key)
        if asked and asked not in table:
            what = f"There is no column {asked!r} for data.columns.{key}; there are {some(list(table))}."
            findings.append(Finding("no-such-column", "error", what))
            return ""
        return asked or next((by_small[name] for name in usual if name in by_small), "")

    roles = {key: one(key, usual) for key, usual in USUAL.items()}
    roles["target"] = one("target", USUAL_TARGETS[data.target_scale])
    for name in data.columns.facts:
        if name not in table:
            findings.append(Finding("no-such-column", "warning", f"There is no column {name!r} to tell groups by."))
    asked_facts = [name for name in data.columns.facts if name in table]
    facts = asked_facts or [by_small[name] for name in USUAL_FACTS if name in by_small]
    taken = set(roles.values())
    if data.features:
        features = [name for name in data.features if name not in taken]
        gone = [name for name in features if name not in table]
        if gone:
            what = f"{len(gone)} clinical values are not in the table and count as missing: {some(gone)}."
            findings.append(Finding("no-such-value", "warning", what))
    else:
        features = [
            name
            for name, cells in table.items()
            if name not in taken and name.lower() not in NEVER_LEARNED and words_or_numbers(name, cells, told)
        ]
    return Chosen(**roles, facts=tuple(facts), features=tuple(features)), findings


def words_or_numbers(name: str, cells: Cells, told: Mapping[str, Any]) -> bool:
    """Whether a column is a clinical value: mostly numbers, or words that the description or usage gives an order."""
    filled = [cell for cell in cells if cell is not None]
    if not filled:
        return False
    if words_of(name, cells, told):
        return True
    numbers = [found for cell in filled if (found := number_of(cell)) is not None]
    if len(numbers) < LEAST_NUMBERS * len(filled):
        return False
    # A number of its own in every row, one after the other, is a name.
    whole = all(value == int(value) for value in numbers if math.isfinite(value))
    return not (
        whole and len(numbers) >= 20 and sorted(numbers) == list(range(int(min(numbers)), int(max(numbers)) + 1))
    )


def words_of(name: str, cells: Cells, told: Mapping[str, Any]) -> tuple[str, ...]:
    """The words of a column in their order, each read as its place; () for a column of numbers."""
    filled = {cell for cell in cells if cell is not None}
    levels = told.get(name, {}).get("Levels") if isinstance(told.get(name), Mapping) else None
    if isinstance(levels, Mapping) and levels and filled <= set(map(str, levels)):
        if all(number_of(str(level)) is not None for level in levels):
            return ()
        return tuple(str(level) for level in levels)
    if name.lower() in ("sex", "gender"):
        for pair in SEXES:
            found = {cell.lower() for cell in filled}
            if filled and found <= set(pair):
                return tuple(next((c for c in sorted(filled) if c.lower() == word), word) for word in pair)
    return ()


def number_of(cell: str) -> float | None:
    """A written number, with a decimal point or comma; None where it is none.

    >>> number_of("7,5"), number_of(" 12 "), number_of("about 70"), number_of("<8")
    (7.5, 12.0, None, None)
    """
    text = cell.strip()
    for written in (text, text.replace(",", ".") if text.count(",") == 1 and "." not in text else text):
        try:
            found = float(written)
        except ValueError:
            continue
        return found if math.isfinite(found) else None
    return None


def feature_of(name: str, cells: Cells, told: Mapping[str, Any]) -> Feature:
    """What is known of a column: its unit, range and group from the description beside the table."""
    facts = told.get(name)
    facts = facts if isinstance(facts, Mapping) else {}
    unit = facts.get("Units", "")
    words = words_of(name, cells, told)
    low, high = (0.0, float(len(words) - 1)) if words else (_bound(facts, "Minimum"), _bound(facts, "Maximum"))
    return Feature(name, str(unit)[:50], low, high, str(facts.get("Group", ""))[:50], words)


def _bound(facts: Mapping[str, Any], key: str) -> float:
    found = facts.get(key)
    usable = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    return float(found) if usable else float("nan")  # type: ignore[arg-type]


def description_of(table: Path) -> dict[str, Any]:
    """What the JSON file beside a table says of its columns (BIDS); nothing where there is none or it is damaged."""
    sidecar = table.with_suffix(".json")
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if sidecar.stat().st_size <= SIDECAR_BYTES:
            found = json.loads(sidecar.read_text(encoding="utf-8"))
            return found if isinstance(found, dict) else {}
    return {}


def some(names: Sequence[str], most: int = 6) -> str:
    """The first few of a list of names.

    >>> some(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
