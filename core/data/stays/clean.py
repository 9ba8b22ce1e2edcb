"""What is put right in measurements, and told: odd units, values that no patient can have, times before the stay."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from core.data.stays.known import IDENTIFIERS, MEASUREMENTS, STATICS
from core.data.stays.series import Stays
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]
MOST_TOLD = 8


def cleaned(stays: Stays) -> Stays:
    """The stays with units mended and what cannot be left out, each told as a finding."""
    findings = list(stays.findings)
    value = stays.value.copy()
    kept = np.ones(len(value), bool)
    changed, outside = [], []
    place = {name: n for n, name in enumerate(stays.variables)}
    order = np.argsort(stays.variable, kind="stable")  # the events of a variable side by side
    bounds = np.searchsorted(stays.variable[order], np.arange(len(stays.variables) + 1))
    for name, n in place.items():
        mine = order[bounds[n] : bounds[n + 1]]
        if name in IDENTIFIERS:
            kept[mine] = False
            continue
        known = MEASUREMENTS.get(name)
        if known is None or not len(mine):
            continue
        of = value[mine]
        for low, high, factor, offset, unit in known.other_units:
            other = (of >= low) & (of <= high) & ~((of >= known.low) & (of <= known.high))
            if other.any():
                of[other] = of[other] * factor + offset
                changed.append((int(other.sum()), f"{name} in {unit}"))
        value[mine] = of
        wrong = (of < known.low) | (of > known.high)
        kept[mine[wrong]] = False
        # -1 is how a missing value is written; it is no odd value.
        odd = int((wrong & (of != -1)).sum())
        if odd:
            outside.append(
                (odd, f"{name} ({odd:,} outside {known.low:g} to {known.high:g} {known.unit})".replace(" )", ")"))
            )
    if changed:
        what = f"{sum(n for n, _ in changed):,} values in other units are converted: {_listed(changed)}."
        findings.append(Finding("other-units", "warning", what))
    if outside:
        what = f"{sum(n for n, _ in outside):,} values that no patient can have are left out: {_listed(outside)}."
        findings.append(Finding("implausible", "warning", what))
    early = stays.hours < 0
    if early.any():
        what = f"{int(early.sum()):,} measurements from before the stay are left out."
        findings.append(Finding("negative-time", "warning", what))
    return Stays(
        stays.ids, stays.sources, stays.variables, stays.stay, stays.hours, stays.variable, value, tuple(findings)
    ).events(kept & ~early)


def _listed(told: list[tuple[int, str]]) -> str:
    texts = [text for _, text in sorted(told, reverse=True)]
    return ", ".join(texts[:MOST_TOLD]) + (f" and {len(texts) - MOST_TOLD} more" if len(texts) > MOST_TOLD else "")


def merged(stays: Stays) -> Stays:
    """Stays of the same name and source as one, as when a long table is split over files; two of them are told."""
    names = list(zip(stays.ids, stays.sources, strict=True))
    unique = list(dict.fromkeys(names))
    if len(unique) == len(names):
        return stays
    place = {name: n for n, name in enumerate(unique)}
    to = np.array([place[name] for name in names], np.int32)
    stay = to[stays.stay]
    order = np.lexsort((stays.hours, stay))
    return Stays(
        [id for id, _ in unique], [source for _, source in unique], stays.variables, stay[order], stays.hours[order],
        stays.variable[order], stays.value[order], stays.findings,
    )  # fmt: skip


def measured(stays: Stays, series: Collection[str]) -> Array:
    """Measurements of the named variables in each stay, (stays,); facts of the patient, such as a weight, are none."""
    wanted = [n for n, name in enumerate(stays.variables) if name in series and name not in STATICS]
    return np.bincount(stays.stay[np.isin(stays.variable, wanted)], minlength=len(stays))


def check(stays: Stays, series: Collection[str]) -> list[Finding]:
    """What a person should know of stays, by the variables that are series: empty ones, single measurements."""
    counts = measured(stays, series)
    findings = []
    told = ("no-measurements", "no measurement"), ("one-measurement", "a single measurement")
    for number, (code, what) in enumerate(told):
        found = np.flatnonzero(counts == number)
        if len(found):
            names = ", ".join(stays.ids[n] for n in found[:5]) + (" and others" if len(found) > 5 else "")
            have = "1 stay has" if len(found) == 1 else f"{len(found):,} stays have"
            findings.append(Finding(code, "warning", f"{have} {what}: {names}."))
    return findings
