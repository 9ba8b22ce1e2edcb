"""One stay's measurements by variable, with unit and normal range; facts of the patient apart. No Qt."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.stays.known import MEASUREMENTS, ONLY_STATIC, WORDS
from core.data.stays.series import Stays
from core.files import replacing

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Series:
    """hours, values: (measurements,), rising in time. normal: in adults, None where there is no such range."""

    name: str
    unit: str
    normal: tuple[float, float] | None
    hours: Array
    values: Array

    def at(self, hours: float) -> tuple[float, float] | None:
        """The last measurement until then as (hours, value); None before the first."""
        place = int(np.searchsorted(self.hours, hours, side="right")) - 1
        return (float(self.hours[place]), float(self.values[place])) if place >= 0 else None

    @property
    def outside(self) -> float:
        """The share of the measurements that are not normal; 0 without a range."""
        if self.normal is None or not len(self.values):
            return 0.0
        return float(((self.values < self.normal[0]) | (self.values > self.normal[1])).mean())


@dataclass(frozen=True)
class OneStay:
    """A stay as it is shown. end: the time of the last measurement, in hours."""

    id: str
    series: list[Series]
    facts: list[tuple[str, str]]
    end: float

    def last(self) -> dict[str, str]:
        """Each variable's last value with its unit."""
        return {one.name: f"{one.values[-1]:g} {one.unit}".rstrip() for one in self.series}

    def in_order(self, names: Iterable[str]) -> list[Series]:
        """The variables in the order of some names, then the others."""
        order = {name: place for place, name in enumerate(names)}
        return sorted(self.series, key=lambda one: order.get(one.name, len(order)))

    @property
    def count(self) -> int:
        return sum(len(one.values) for one in self.series)


def one_stay(stays: Stays, number: int) -> OneStay:
    """A stay by its number; the variables that were measured most come first."""
    first, last = np.searchsorted(stays.stay, [number, number + 1])
    hours, which, values = stays.hours[first:last], stays.variable[first:last], stays.value[first:last]
    series, facts = [], []
    for place in np.unique(which).tolist():
        name, rows = stays.variables[place], which == place
        known = MEASUREMENTS.get(name)
        unit = known.unit if known else ""
        if name in ONLY_STATIC:
            value = float(values[rows][0])
            if value in WORDS.get(name, {}):
                facts.append((name, WORDS[name][value]))
            else:
                facts.append((name, f"{value:g} {unit}".rstrip()))
            continue
        series.append(Series(name, unit, known.normal if known else None, hours[rows], values[rows]))
    series.sort(key=lambda one: (-len(one.values), one.name))
    return OneStay(stays.ids[number], series, facts, float(hours.max()) if len(hours) else 0.0)


def write_stay(stays: Stays, number: int, path: Path, control: JobControl) -> None:
    """One stay as a file that `core.data.stays` reads: a measurement a row."""
    control.check()
    first, last = np.searchsorted(stays.stay, [number, number + 1])
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stay", "hours", "variable", "value"])
        for event in range(first, last):
            name = stays.variables[stays.variable[event]]
            writer.writerow([stays.ids[number], repr(float(stays.hours[event])), name, repr(float(stays.value[event]))])
