"""Simulated clinical values: plausible ones, some of which follow a disease. No figure here was measured on people."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from scipy.stats import norm

from core.paths import RESOURCES

Array = np.ndarray[Any, Any]
SEX_WORDS = ("F", "M")  # 0 and 1


@dataclass(frozen=True)
class ClinicalValue:
    """How one value is drawn: mean and sd over the cohort, loading: its correlation with the disease.

    shape: normal; log: lognormal; flag: 1 in a share `mean` of the people, else 0.
    """

    group: str
    name: str
    unit: str
    low: float
    high: float
    mean: float
    sd: float
    loading: float
    shape: Literal["normal", "log", "flag"]
    decimals: int

    def at(self, z: Array) -> Array:
        """Values at standard scores, rounded as they are written and kept inside of the plausible range."""
        if self.shape == "flag":
            return np.asarray(z > norm.ppf(1 - self.mean), np.float64)
        if self.shape == "log":
            spread = np.sqrt(np.log1p((self.sd / self.mean) ** 2))
            values = self.mean * np.exp(spread * z - spread**2 / 2)
        else:
            values = self.mean + self.sd * z
        return np.round(np.clip(values, self.low, self.high), self.decimals)


@cache
def clinical_values() -> tuple[ClinicalValue, ...]:
    """The 118 values of a simulated subject, in the order in which they are written."""
    with (RESOURCES / "simulation" / "clinical_values.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            ClinicalValue(
                row["group"], row["name"], row["unit"], float(row["low"]), float(row["high"]), float(row["mean"]),
                float(row["sd"]), float(row["loading"]), row["shape"], int(row["decimals"]),  # type: ignore[arg-type]
            )
            for row in csv.DictReader(file)
        )  # fmt: skip


def draw(severity: float, rng: np.random.Generator, effect: float) -> Array:
    """(118,) float64: one subject's values. severity: standard scores of the disease as the clinic sees it."""
    values = clinical_values()
    loadings = effect * np.array([value.loading for value in values])
    loadings = np.clip(loadings, -0.95, 0.95)
    z = loadings * severity + np.sqrt(1 - loadings**2) * rng.standard_normal(len(values))
    drawn = np.array([float(value.at(score)) for value, score in zip(values, z, strict=True)])
    place = {value.name: i for i, value in enumerate(values)}
    if drawn[place["sex"]] == 1:  # men are taller, heavier and stronger, as a model would soon notice
        for name, more in (("height", 6.0), ("weight", 6.0), ("grip_strength", 7.0)):
            i = place[name]
            drawn[i] = min(drawn[i] + more, values[i].high)
    return drawn


def forget(drawn: Array, rng: np.random.Generator, share: float) -> Array:
    """The values with some taken out (NaN): half of `share` at random, and CSF and genetics as a whole for `share`.

    Age and sex always stay.
    """
    values = clinical_values()
    gone = rng.random(len(values)) < share / 2
    for group in ("CSF", "Genetics"):
        missing = rng.random() < share
        gone |= np.array([value.group == group for value in values]) & missing
    gone &= np.array([value.name not in ("age", "sex") for value in values])
    return np.where(gone, np.nan, drawn)


def written(values: Array) -> list[str]:
    """The cells of one subject, as participants.tsv has them."""
    cells = []
    for value, number in zip(clinical_values(), values, strict=True):
        if np.isnan(number):
            cells.append("n/a")
        else:
            cells.append(SEX_WORDS[int(number)] if value.name == "sex" else f"{number:.{value.decimals}f}")
    return cells


def described() -> dict[str, dict[str, Any]]:
    """What participants.json says of each value."""
    told: dict[str, dict[str, Any]] = {}
    for value in clinical_values():
        facts: dict[str, Any] = {"Description": value.name.replace("_", " "), "Group": value.group}
        if value.unit:
            facts["Units"] = value.unit
        if value.name == "sex":
            facts["Levels"] = {"F": "female", "M": "male"}
        else:
            facts |= {"Minimum": value.low, "Maximum": value.high}
        told[value.name] = facts
    return told
