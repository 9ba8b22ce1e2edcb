"""The score of a report: the figure, its interval, and where it lies among the subjects that were trained on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from core.export.pages import ACCENT, ACCENT_GROUND, DIM, INK, INNER, LINE, MARGIN, WARN, Page, percent
from core.tasks.alzheimers.package import RiskPackage
from core.tasks.alzheimers.plan import PERCENTS

HILL_MM = 13.0
SCALE_MM = INNER
ROOM_MM = 8.0  # of a figure below the scale


def score_block(page: Page, y: float, prediction: Mapping[str, Any], package: RiskPackage) -> float:
    """Set below y; returns where the next section begins."""
    page.text(MARGIN, y + 7, f"{prediction['score']:.2f}", 32, bold=True)
    at = y
    for words in sentences(prediction, package):
        at = page.paragraph(MARGIN + 34, at, words, INNER - 34, 9)
    return _scale(page, max(at, y + 12) + 1, prediction, package)


def sentences(prediction: Mapping[str, Any], package: RiskPackage) -> list[str]:
    """What the figure means, one thing a sentence."""
    plan, training = package.manifest.plan, package.manifest.training
    score, interval = prediction["score"], prediction.get("interval")
    told = []
    if interval:
        held = f"The interval from {interval[0]:.2f} to {interval[1]:.2f} is made to hold the true score of"
        told.append(f"{held} {percent(prediction['confidence'])} of subjects{_held(prediction, package)}.")
    else:
        told.append("The model gives no interval.")
    if prediction.get("probability") is not None:
        told.append(
            f"Probability of a true score of at least {prediction['threshold']:g}:"
            f" {percent(prediction['probability'])}."
        )
    below = plan.percent_below(score)
    number = training.cases.get("train", 0)
    if below is not None:
        where = {0.0: "Lower than 95 %", 100.0: "Higher than 95 %"}.get(below, f"Higher than {below:.0f} %")
        told.append(f"{where} of the {number:,} subjects trained on, by their true scores.")
    else:
        told.append(f"The {number:,} subjects trained on have a mean true score of {plan.mean_score:.2f}.")
    return told


def _held(prediction: Mapping[str, Any], package: RiskPackage) -> str:
    """How many it did hold, where that was measured on subjects with the same parts."""
    training = package.manifest.training
    measured = training.by_part.get(str(prediction["parts"]), {})
    if training.measured_on != "test" or "coverage" not in measured:
        return ""
    return (
        f"; of {measured['subjects']:.0f} held-out subjects with the same parts it held {percent(measured['coverage'])}"
    )


def _scale(page: Page, y: float, prediction: Mapping[str, Any], package: RiskPackage) -> float:
    plan, interval = package.manifest.plan, prediction.get("interval")
    bar = y + HILL_MM + 4

    def at(value: float) -> float:
        return MARGIN + 2 + value * (SCALE_MM - 4)

    hill = density(plan.score_quantiles)
    if hill:
        top = max(height for _, _, height in hill)
        corners = [(at(hill[0][0]), bar - 3.5)]
        for low, high, height in hill:
            level = bar - 3.5 - HILL_MM * height / top
            corners += [(at(low), level), (at(high), level)]
        page.area([*corners, (at(hill[-1][1]), bar - 3.5)], LINE)
        words = "true scores of the subjects trained on, without the lowest and the highest 5 %"
        page.text(MARGIN + 2, bar - 3.5 - HILL_MM - 1, words, 7, colour=DIM)
    page.box(at(0), bar - 0.7, at(1) - at(0), 1.4, LINE, 0.7)
    if interval:
        low, high = interval
        page.box(at(low), bar - 2, max(at(high) - at(low), 1), 4, ACCENT_GROUND, 2)
        page.line(at(low), bar - 2, at(low), bar + 2, ACCENT, 1)
        page.line(at(high), bar - 2, at(high), bar + 2, ACCENT, 1)
        for value in interval:
            page.text(at(value), bar + 5.6, f"{value:.2f}", 7.5, colour=ACCENT, align="center")
    page.line(at(plan.threshold), bar - 3.5, at(plan.threshold), bar + 3.5, WARN, 1.2)
    page.text(at(plan.threshold), bar + 9, f"threshold {plan.threshold:g}", 7, colour=WARN, align="center")
    page.dot(at(prediction["score"]), bar, 1.9, ACCENT)
    for value in (0, 1):
        page.text(at(value), bar + 9, f"{value}", 7.5, colour=DIM, align="center")
    score = prediction["score"]
    # Its figure stands above in large, and must not lie over those of the interval.
    if not interval or min(abs(at(value) - at(score)) for value in interval) >= ROOM_MM:
        page.text(at(score), bar + 5.6, f"{score:.2f}", 8, bold=True, colour=INK, align="center")
    return bar + 16


def density(quantiles: list[float]) -> list[tuple[float, float, float]]:
    """(low, high, height) of bars that hold as many subjects as their area, from quantiles at PERCENTS.

    >>> [(low, high, round(height, 2)) for low, high, height in density([0.5] * 10 + [0.55] * 9)], density([])
    ([(0.5, 0.55, 10.0), (0.55, 0.6, 8.0)], [])
    """
    if len(quantiles) != len(PERCENTS):
        return []
    bins = 20
    held = [0.0] * bins
    for low, high in itertools.pairwise(quantiles):
        # A twentieth of the subjects lie somewhere between two neighbours.
        for place in range(bins):
            first, last = place / bins, (place + 1) / bins
            if high > low:
                held[place] += max(min(high, last) - max(low, first), 0) / (high - low) / bins
            elif first <= low < last or (low == 1 and last == 1):
                held[place] += 1 / bins
    filled = [place for place, share in enumerate(held) if share > 1e-9]
    return [(place / bins, (place + 1) / bins, held[place] * bins) for place in range(filled[0], filled[-1] + 1)]
