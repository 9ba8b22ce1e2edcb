"""Baselines: what a network's figures are worth, seen beside the simplest method on the same folds.

A baseline is one function with `@register_baseline`: training cases in, a method from a scan to label values out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.case import Case
from core.data.plan import Plan
from core.data.prepare import prepare_labels, resize
from core.imaging.geometry import to_canonical
from core.imaging.reader import read
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]
Method = Callable[[Volume], Array]  # label values on the scan's own grid
Fit = Callable[[Sequence[Case], Plan, JobControl], Method]


@dataclass(frozen=True)
class Baseline:
    """A registered baseline; `title` says in the table what it is."""

    name: str
    title: str
    fit: Fit


_baselines: dict[str, Baseline] = {}


def register_baseline(name: str, *, title: str) -> Callable[[Fit], Fit]:
    """Decorator that offers a function as a baseline."""

    def add(fit: Fit) -> Fit:
        _baselines[name] = Baseline(name, title, fit)
        return fit

    return add


def baselines() -> dict[str, Baseline]:
    """All baselines by name."""
    return dict(_baselines)


@register_baseline("average-shape", title="majority vote of the training labels")
def average_shape(cases: Sequence[Case], plan: Plan, control: JobControl) -> Method:
    """Each place of the field of view gets the label that most training cases have there; the image is not looked at.

    Label maps are turned nearest to RAS and stretched to one grid, so this is honest competition only where the scans
    show the same region. (Majority voting without registration: Rohlfing 2004.)
    """
    maps = []
    for number, case in enumerate(cases):
        control.progress(number / len(cases), f"Averaging {case.id}")
        maps.append(prepare_labels(read(case.label), plan))
    common = tuple(int(n) for n in np.median([one.shape for one in maps], axis=0))
    votes = np.zeros((len(plan.values) + 1, *common), np.float32)
    for one in maps:
        control.check()
        for index in range(len(votes)):
            votes[index] += resize((one == index).astype(np.float32), common, order=1)
    values = np.array([0, *plan.values])
    values = values.astype(np.uint8 if values.max() < 256 else np.uint16)

    def predict(volume: Volume) -> Array:
        turn = to_canonical(volume.affine_ras)
        shape = tuple(volume.grid_shape[axis] for axis in turn.order)
        most = np.stack([resize(vote, shape, order=1) for vote in votes]).argmax(axis=0)
        return np.ascontiguousarray(turn.invert(values[most]))

    return predict
