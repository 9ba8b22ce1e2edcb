"""How good answers are on subjects with a known score: metrics, coverage, curves, subgroups, each part by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.cohort.subject import Subject
from core.metrics.curves import binary_curves
from core.metrics.intervals import bootstrap
from core.tasks.alzheimers.answering import Answer
from core.tasks.alzheimers.module import figures
from core.tasks.alzheimers.plan import named, there
from core.tasks.alzheimers.uncertainty import Event, Intervals

Array = np.ndarray[Any, Any]
FEWEST_OF_GROUP = 5
AGES = (65, 75, 85)  # years; edges of the age groups


def fullest(answers: Mapping[str, Answer]) -> tuple[str, Answer]:
    """The answer from all that is there; `answers` has the fullest part first."""
    return next(iter(answers.items()))


def by_part(
    answers: Sequence[Mapping[str, Answer]], targets: Array, threshold: float, intervals: Intervals | None
) -> dict[str, dict[str, float]]:
    """The metrics of each part over the subjects that have it, with their number, coverage and mean width."""
    names = dict.fromkeys(name for one in answers for name in one)
    found = {}
    for name in sorted(names, key=lambda name: -name.count("+")):
        rows = [row for row, one in enumerate(answers) if name in one]
        chosen = [answers[row][name] for row in rows]
        scores = np.array([answer.score for answer in chosen])
        found[name] = {"subjects": float(len(rows)), **figures(scores, targets[rows], threshold)}
        if intervals is not None:
            found[name] |= _coverage([intervals.interval(answer, name) for answer in chosen], targets[rows])
    return found


def _coverage(intervals: Sequence[Sequence[float]], targets: Array) -> dict[str, float]:
    low, high = np.array(intervals).T
    # A score that is kept in 32 bits may lie a hair outside of an interval that ends at it.
    held = (targets >= low - 1e-6) & (targets <= high + 1e-6)
    return {"coverage": float(held.mean()), "interval_width": float((high - low).mean())}


def measured(
    answers: Sequence[Mapping[str, Answer]], subjects: Sequence[Subject], threshold: float,
    intervals: Intervals | None, event: Event | None, control: JobControl,
) -> dict[str, Any]:  # fmt: skip
    """ "metrics" (test/...), their "intervals" by bootstrap over persons, "cases", "parts", "curves", "subgroups"."""
    targets = np.array([subject.target for subject in subjects], np.float64)
    best = [fullest(one) for one in answers]
    scores = np.array([answer.score for _, answer in best])
    people = np.array([subject.id for subject in subjects])
    metrics = figures(scores, targets, threshold)
    spans = bootstrap(partial(figures, threshold=threshold), scores, targets, groups=people, control=control)
    cases = []
    for subject, (parts, answer) in zip(subjects, best, strict=True):
        case: dict[str, Any] = {"case": subject.id, "visit": subject.visit, "parts": parts, "score": answer.score,
                "outcome": subject.target}  # fmt: skip
        if intervals is not None:
            case["interval"] = intervals.interval(answer, parts)
        cases.append(case)
    if intervals is not None:
        metrics |= _coverage([case["interval"] for case in cases], targets)
    high = (targets >= threshold).astype(int)
    curves = None if event is None else binary_curves(event.probability(scores), high).as_dict()
    return {
        "metrics": {f"test/{name}": value for name, value in metrics.items()},
        "intervals": {f"test/{name}": span for name, span in spans.items()},
        "cases": cases,
        "parts": by_part(answers, targets, threshold, intervals),
        "calibration": calibration(scores, targets),
        "curves": curves,
        "subgroups": subgroups(subjects, scores, targets, threshold),
        "threshold": threshold,
    }


def calibration(scores: Array, targets: Array, bins: int = 10) -> dict[str, Any]:
    """Mean score and mean outcome in bins of equally many subjects; slope and intercept of the outcome on the score."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    slope, intercept = np.polyfit(scores, targets, 1) if np.ptp(scores) > 1e-9 else (None, None)
    return {
        "predicted": [float(scores[part].mean()) for part in parts],
        "observed": [float(targets[part].mean()) for part in parts],
        "count": [len(part) for part in parts],
        "slope": None if slope is None else float(slope),
        "intercept": None if intercept is None else float(intercept),
    }


def subgroups(subjects: Sequence[Subject], scores: Array, targets: Array, threshold: float) -> list[dict[str, Any]]:
    """The metrics of each group by a fact, such as sex, scanner or age, and by what was there of the subjects."""
    facts = dict.fromkeys(fact for subject in subjects for fact in subject.facts)
    labels = {fact: _labels([subject.facts.get(fact, "") for subject in subjects]) for fact in facts}
    labels["parts"] = [named(there(subject)) for subject in subjects]
    found = []
    for fact, words in labels.items():
        for word in sorted(set(words) - {""}):
            rows = np.array([row for row, other in enumerate(words) if other == word])
            if len(rows) < FEWEST_OF_GROUP:
                continue
            bias = float((scores[rows] - targets[rows]).mean())
            values = figures(scores[rows], targets[rows], threshold)
            found.append({"by": fact, "group": word, "subjects": len(rows), "bias": bias, **values})
    return found


def _labels(words: Sequence[str]) -> list[str]:
    """Groups of a fact: its words, or ranges where it is a number with many values."""
    numbers = [_number(word) for word in words]
    known = [number for number in numbers if number is not None]
    if len(known) < len([word for word in words if word]) or len(set(known)) <= 10:
        return list(words)
    edges: Sequence[float] = AGES
    if not (min(known) < AGES[-1] and max(known) > AGES[0]):
        edges = [float(edge) for edge in np.percentile(known, (33, 67))]
    return ["" if number is None else _range(number, edges) for number in numbers]


def _range(number: float, edges: Sequence[float]) -> str:
    """
    >>> _range(60, (65, 75)), _range(70, (65, 75)), _range(80, (65, 75))
    ('under 65', '65 to 75', '75 and more')
    """
    place = int(np.searchsorted(edges, number, side="right"))
    if place == 0:
        return f"under {edges[0]:g}"
    return f"{edges[-1]:g} and more" if place == len(edges) else f"{edges[place - 1]:g} to {edges[place]:g}"


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
