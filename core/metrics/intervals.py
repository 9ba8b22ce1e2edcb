"""How far a figure may be off by chance, and whether one model is better than another on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.control import JobControl

Array = np.ndarray[Any, Any]
Figures = Callable[[Array, Array], Mapping[str, float]]  # of outputs and target

RESAMPLES = 2000
CONFIDENCE = 0.95


def bootstrap_mean(values: Array) -> list[float]:
    """The 95 % interval of a mean over cases, from resampled cases (Efron 1979); the same for the same values."""
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    return _interval(values[draws].mean(axis=1))


def bootstrap(
    figures: Figures, outputs: Array, target: Array, *, groups: Array | None = None, resamples: int = 1000,
    seed: int = 0, control: JobControl | None = None,
) -> dict[str, list[float]]:  # fmt: skip
    """The 95 % interval of each figure as [low, high], from resampled rows, or whole groups where they are given.

    outputs, target: (rows, ...). groups: (rows,), such as the subject of each row, since rows of one subject are alike.
    A figure that fewer than half of the resamples define has no interval.
    """
    found: dict[str, list[float]] = {}
    for rows in _resamples(len(target), groups, resamples, seed, control):
        for name, value in figures(outputs[rows], target[rows]).items():
            found.setdefault(name, []).append(value)
    return {name: _interval(np.array(values)) for name, values in found.items() if len(values) > resamples / 2}


@dataclass(frozen=True)
class Paired:
    """The second model's figure less the first's on the same rows, with its 95 % interval and the p of no difference.

    p: from swapping the two models' answers at random (a paired permutation test).
    """

    first: float
    second: float
    difference: float
    interval: list[float]
    p: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    figures: Figures, first: Array, second: Array, target: Array, *, groups: Array | None = None,
    resamples: int = 1000, seed: int = 0, control: JobControl | None = None,
) -> dict[str, Paired]:  # fmt: skip
    """Two models' outputs (rows, ...) for the same rows, by figure. groups: resampled and swapped as a whole."""
    one, two = dict(figures(first, target)), dict(figures(second, target))
    shared = [name for name in one if name in two]
    drawn: dict[str, list[float]] = {name: [] for name in shared}
    for rows in _resamples(len(target), groups, resamples, seed, control):
        a, b = figures(first[rows], target[rows]), figures(second[rows], target[rows])
        for name in shared:
            if name in a and name in b:
                drawn[name].append(b[name] - a[name])
    extreme = dict.fromkeys(shared, 0)
    codes = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rng = np.random.default_rng((seed, 1))
    for _ in range(resamples):
        if control is not None:
            control.check()
        swap = rng.integers(0, 2, int(codes.max()) + 1).astype(bool)[codes].reshape(-1, *[1] * (first.ndim - 1))
        a, b = figures(np.where(swap, second, first), target), figures(np.where(swap, first, second), target)
        for name in shared:
            extreme[name] += abs(b.get(name, 0.0) - a.get(name, 0.0)) >= abs(two[name] - one[name]) - 1e-12
    return {
        name: Paired(
            one[name], two[name], two[name] - one[name],
            _interval(np.array(drawn[name])) if drawn[name] else [float("-inf"), float("inf")],
            (extreme[name] + 1) / (resamples + 1),
        )
        for name in shared
    }  # fmt: skip


def _resamples(rows: int, groups: Array | None, resamples: int, seed: int, control: JobControl | None) -> Any:
    rng = np.random.default_rng(seed)
    members: list[Array] | None = None
    if groups is not None:
        codes = np.unique(groups, return_inverse=True)[1]
        order = np.argsort(codes, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    for _ in range(resamples):
        if control is not None:
            control.check()
        if members is None:
            yield rng.integers(rows, size=rows)
        else:
            yield np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])


def _interval(values: Array) -> list[float]:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, (tail, 100 - tail))
    return [float(low), float(high)]
