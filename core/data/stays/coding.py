"""The coding of stays: which variables and facts a network sees, how they are scaled, and the grid they are laid on.

It is fitted to training stays only, and kept with every encoder and model.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from core.data.stays.known import CATEGORIES, MEASUREMENTS, ONLY_STATIC, OUTCOMES, STATICS
from core.data.stays.series import Stays
from core.errors import DatasetError
from core.registry import Part

Array = np.ndarray[Any, Any]
MOST_VARIABLES = 2_000
MOST_STEPS = 2_000
SKEW = 3.0  # how much longer the upper tail is than the lower: from here on a variable is taken as its logarithm


class Scaling(Part):
    """How a variable becomes a number near 0: (x or log(1 + x) - center) / scale, clipped.

    low, high: the 0.5th and 99.5th percentile of the training values, in the variable's own unit.
    """

    name: str = Field(max_length=200)
    center: float = 0.0
    scale: float = Field(1.0, gt=0)
    log: bool = False
    low: float = 0.0
    high: float = 0.0

    def code(self, values: Array, clip: float) -> Array:
        x = np.log1p(np.maximum(values, 0)) if self.log else values
        return np.asarray(np.clip((x - self.center) / self.scale, -clip, clip), np.float32)

    def decode(self, coded: Array) -> Array:
        x = np.asarray(coded, np.float64) * self.scale + self.center
        return np.expm1(x) if self.log else x


class Static(Part):
    """A fact of the patient: a number, or one of a few levels."""

    scaling: Scaling
    levels: list[float] = Field([], max_length=50)

    @property
    def name(self) -> str:
        return self.scaling.name

    @property
    def width(self) -> int:
        """Of its code: the number and whether it is known, or one of the levels."""
        return len(self.levels) or 2


class StayCoding(Part):
    """The whole coding. steps: of the grid at most; later measurements are not used."""

    variables: list[Scaling] = Field(min_length=1, max_length=MOST_VARIABLES)
    statics: list[Static] = Field([], max_length=200)
    step_hours: float = Field(1.0, gt=0, le=1000)
    steps: int = Field(48, ge=1, le=MOST_STEPS)
    clip: float = Field(5.0, gt=0, le=1000)

    @property
    def names(self) -> list[str]:
        return [variable.name for variable in self.variables]

    @property
    def static_width(self) -> int:
        return sum(static.width for static in self.statics)

    def differences(self, other: StayCoding) -> list[str]:
        """What of another coding does not fit this one, in words."""
        told = []
        for what, mine, theirs in (
            ("variables", self.names, other.names),
            ("facts of the patient", [s.name for s in self.statics], [s.name for s in other.statics]),
        ):
            missing, new = [n for n in mine if n not in theirs], [n for n in theirs if n not in mine]
            if missing or new:
                told.append(f"{what}: lacks {_some(missing)}; has {_some(new)} instead")
            elif mine != theirs:
                told.append(f"{what}: in another order")
        for name in ("step_hours", "steps", "clip"):
            if getattr(self, name) != getattr(other, name):
                told.append(f"{name}: {getattr(other, name):g} instead of {getattr(self, name):g}")
        return told


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"


def choose_variables(stays: Stays, wanted: list[str], most: int, outcomes: list[str]) -> list[str]:
    """The series that are learned from: those wanted, or those that most stays have, at most `most`.

    Raises DatasetError where a wanted one is not there, or nothing is.
    """
    if wanted:
        gone = [name for name in wanted if name not in stays.variables]
        if gone:
            raise DatasetError(
                f"there is no variable {_some(gone)}", mend=f"There are: {', '.join(sorted(stays.variables)[:60])}."
            )
        return list(dict.fromkeys(wanted))
    pairs = np.unique(stays.stay.astype(np.int64) * len(stays.variables) + stays.variable)
    having = np.bincount(pairs % max(len(stays.variables), 1), minlength=len(stays.variables))
    never = {name.lower() for name in (*ONLY_STATIC, *OUTCOMES, *outcomes)}
    usable = [n for n, name in enumerate(stays.variables) if name.lower() not in never and having[n]]
    if not usable:
        raise DatasetError("no variable is measured in any stay")
    kept = sorted(sorted(usable, key=lambda n: (-having[n], stays.variables[n]))[:most])
    return sorted((stays.variables[n] for n in kept), key=str.lower)


def fit_coding(
    stays: Stays, variables: list[str], statics: list[str], *, step_hours: float, max_hours: float, clip: float
) -> StayCoding:
    """The coding of training stays. statics: wanted ones; empty: the known ones that are there."""
    place = {name: n for n, name in enumerate(stays.variables)}
    order = np.argsort(stays.variable, kind="stable")
    bounds = np.searchsorted(stays.variable[order], np.arange(len(stays.variables) + 1))

    def values(name: str) -> Array:
        n = place[name]
        return stays.value[order[bounds[n] : bounds[n + 1]]].astype(np.float64)

    facts = [name for name in (statics or STATICS) if name in place and len(values(name))]
    table = static_values(stays, facts)
    return StayCoding(
        variables=[_fitted(name, values(name)) if name in place else Scaling(name=name) for name in variables],
        statics=[_static(name, table[:, n]) for n, name in enumerate(facts)],
        step_hours=step_hours, steps=max(math.ceil(max_hours / step_hours), 1), clip=clip,
    )  # fmt: skip


def _fitted(name: str, values: Array) -> Scaling:
    """Median and quartiles, which outliers do not move; a long tail is taken as a logarithm."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Scaling(name=name)
    low, tail, middle, top, high = np.quantile(values, (0.005, 0.025, 0.5, 0.975, 0.995))
    known = MEASUREMENTS.get(name)
    within_one = known is not None and known.high <= 1
    log = bool(values.min() >= 0 and top - middle > SKEW * max(middle - tail, 1e-9) and not within_one)
    x = np.log1p(values) if log else values
    first, middle, third = np.quantile(x, (0.25, 0.5, 0.75))
    scale = float((third - first) / 1.349)
    if scale < 1e-6:
        scale = float(x.std())
    return Scaling(
        name=name, center=float(middle), scale=scale if scale > 1e-6 else 1.0, log=log, low=float(low), high=float(high)
    )


def _static(name: str, values: Array) -> Static:
    known = values[np.isfinite(values)]
    levels = np.unique(known)
    if name in CATEGORIES and 2 < len(levels) <= 20:
        return Static(scaling=Scaling(name=name), levels=levels.tolist())
    return Static(scaling=_fitted(name, known))


def static_values(stays: Stays, names: list[str]) -> Array:
    """The first value of each fact of each stay, (stays, facts), NaN where there is none."""
    found = np.full((len(stays), len(names)), np.nan)
    for column, name in enumerate(names):
        if name not in stays.variables:
            continue
        mine = np.flatnonzero(stays.variable == stays.variables.index(name))
        first, at = np.unique(stays.stay[mine], return_index=True)
        found[first, column] = stays.value[mine[at]]
    return found


def code_statics(coding: StayCoding, stays: Stays) -> Array:
    """(stays, static_width) float32: numbers with whether they are known, levels as one of many."""
    if not coding.statics:
        return np.zeros((len(stays), 0), np.float32)
    values = static_values(stays, [static.name for static in coding.statics])
    parts = []
    for static, of in zip(coding.statics, values.T, strict=True):
        if static.levels:
            parts.append((of[:, None] == np.array(static.levels)).astype(np.float32))
        else:
            there = np.isfinite(of)
            coded = np.where(there, static.scaling.code(np.where(there, of, 0), coding.clip), 0)
            parts.append(np.stack([coded, there], axis=1).astype(np.float32))
    return np.concatenate(parts, axis=1)
