"""An evaluation's cases as arrays with their figures and curves, whatever was predicted: one of classes or a number."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from core.control import JobControl
from core.metrics import classification, regression
from core.metrics.curves import (
    BinaryCurves,
    Calibration,
    DecisionCurve,
    PrecisionRecall,
    Roc,
    binary_curves,
    confusion,
)
from core.metrics.intervals import bootstrap
from gui.charts.threshold import Decisions

Array = np.ndarray[Any, Any]

MANY_ROWS = 5_000  # from here on fewer resamples are drawn, so that the intervals come within seconds
RESAMPLES, FEWER = 1000, 200


@dataclass(frozen=True)
class Outcome:
    """classes: what the outcome may be, none for a number; target: (rows,) codes of them or numbers.

    outputs: (rows, classes) probabilities, or (rows,) numbers. intervals: 95 %, by metric. event: the number from
    which on it is an event, where the model says so. threshold: of the second of two classes. known: the curves that
    came with the answer, of a class by its name, of a number's event by "".
    """

    names: list[str]
    classes: list[str]
    target: Array
    outputs: Array
    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    matrix: list[list[int]] = field(default_factory=list)
    event: float | None = None
    threshold: float = 0.5
    known: dict[str, BinaryCurves] = field(default_factory=dict)

    @property
    def binary(self) -> bool:
        return len(self.classes) == 2

    def of_class(self, place: int) -> tuple[Array, Array]:
        """Probability (rows,) of one class, and whether it is the true one."""
        return self.outputs[:, place], (self.target == place).astype(int)

    def curves(self, place: int = 1) -> BinaryCurves:
        """Of one class against the rest; of a number, of the event."""
        if self.classes:
            return self.known.get(self.classes[place]) or binary_curves(*self.of_class(place))
        found = binary_curves(np.clip(self.outputs, 0, 1), (self.target >= (self.event or 0.5)).astype(int))
        told = self.known.get("")
        # A score is no probability: whether it comes true is told by the probability that is made of it.
        return found if told is None else replace(found, calibration=told.calibration, decision=told.decision)

    def decisions(self, place: int) -> Decisions:
        """The rows by one class against the rest, or by the event of a number."""
        if self.classes:
            return Decisions(*self.of_class(place))
        return Decisions(self.outputs, (self.target >= (self.event or 0.5)).astype(int))

    @property
    def loss(self) -> Array:
        """How wrong each case is, (rows,): 1 - the probability of the truth, or the size of the error."""
        if self.classes:
            return 1 - self.outputs[np.arange(len(self.target)), self.target]
        return np.abs(self.outputs - self.target)


def truth_of(case: dict[str, Any]) -> Any:
    """What was true of a case, under the names that kinds of models give it."""
    return next((case[name] for name in ("outcome", "target", "truth") if name in case), None)


def outcome_of(result: dict[str, Any], control: JobControl) -> Outcome:
    """The arrays of an evaluation's answer, with intervals where it has none. Raises ValueError without cases."""
    cases = [
        case for case in result["cases"] if truth_of(case) is not None and ("probabilities" in case or "score" in case)
    ]
    if not cases:
        raise ValueError("the evaluation has no cases with an outcome")
    control.progress(None, "Reading the cases")
    names = [str(case["case"]) for case in cases]
    metrics = {key.removeprefix("test/"): value for key, value in result["metrics"].items()}
    known = {key.removeprefix("test/"): list(value) for key, value in result.get("intervals", {}).items() if value}
    resamples = RESAMPLES if len(cases) <= MANY_ROWS else FEWER
    if "probabilities" in cases[0]:
        classes = [str(name) for name in cases[0]["probabilities"]]
        outputs = np.array([list(case["probabilities"].values()) for case in cases], float)
        place = {name: code for code, name in enumerate(classes)}
        target = np.array([place[str(truth_of(case))] for case in cases])
        figures: Any = classification.figures
        matrix = confusion(outputs, target, classes).matrix
    else:
        classes, matrix = [], []
        outputs = np.array([case["score"] for case in cases], float)
        target = np.array([truth_of(case) for case in cases], float)
        figures = regression.figures
    if not known:
        control.progress(None, "Drawing the intervals")
        known = bootstrap(partial(figures), outputs, target, resamples=resamples, control=control)
    told = result.get("threshold")
    threshold = float(told) if isinstance(told, int | float) else None
    return Outcome(
        names, classes, target, outputs, metrics, known, matrix, None if classes else threshold, threshold or 0.5,
        curves_in(result.get("curves"), classes),
    )  # fmt: skip


def curves_in(told: Any, classes: list[str]) -> dict[str, BinaryCurves]:
    """The curves of an answer by class, or by "" where they are of a single event."""
    if not isinstance(told, dict):
        return {}
    parts = {"": told} if "calibration" in told else {name: told[name] for name in classes if name in told}
    return {name: _curves(part) for name, part in parts.items()}


def _curves(told: dict[str, Any]) -> BinaryCurves:
    return BinaryCurves(
        Roc(**told["roc"]) if told.get("roc") else None,
        PrecisionRecall(**told["precision_recall"]) if told.get("precision_recall") else None,
        Calibration(**told["calibration"]),
        DecisionCurve(**told["decision"]),
    )
