"""Intervals hold what they promise, on draws with a known error."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from core.tasks.alzheimers import uncertainty
from core.tasks.alzheimers.answering import SUBSETS, Answer
from core.tasks.alzheimers.plan import named
from core.tasks.alzheimers.uncertainty import Intervals, expected_coverage, fit_event, fit_intervals

ERRORS = {"mri+pet+clinical": 0.05, "mri": 0.12, "clinical": 0.08}


def drawn(count: int, seed: int) -> tuple[list[dict[str, Answer]], np.ndarray]:
    """Answers whose errors are as large as their spread says, but for a factor that differs by part."""
    rng = np.random.default_rng(seed)
    targets = rng.uniform(0.2, 0.8, count)
    found = []
    for target in targets:
        one = {}
        for part, error in ERRORS.items():
            spread = rng.uniform(0.01, 0.03)
            one[part] = Answer(float(target + error * spread / 0.02 * rng.standard_normal()), spread)
        found.append(one)
    return found, targets


@pytest.mark.parametrize("part", list(ERRORS))
def test_nine_of_ten_true_scores_lie_in_their_interval(part: str) -> None:
    intervals = fit_intervals(*drawn(400, 0), confidence=0.9)
    answers, targets = drawn(2000, 1)
    held = [low <= t <= high for a, t in zip(answers, targets, strict=True)
            for low, high in [intervals.interval(a[part], part)]]  # fmt: skip
    assert np.mean(held) == pytest.approx(0.9, abs=0.04)


def test_few_validation_subjects_give_intervals_that_hold_about_as_many_each_time() -> None:
    """Of 40 subjects a quantile of each part by itself varies by 0.047 (a beta distribution)."""
    answers, targets = drawn(1500, 1)
    arrays = {part: np.array([(one[part].score, one[part].spread) for one in answers]).T for part in ERRORS}
    held: dict[str, list[float]] = {part: [] for part in ERRORS}
    for seed in range(60):
        intervals = fit_intervals(*drawn(40, 100 + seed), confidence=0.9)
        for part, (scores, spreads) in arrays.items():
            half = intervals.width(part) * (spreads + intervals.floor)
            held[part].append(float((np.abs(scores - targets) <= half).mean()))
    for part, each in held.items():
        assert 0.88 < np.mean(each) < 0.94, part
    assert np.mean([np.std(each) for each in held.values()]) < 0.044


def test_how_many_an_interval_can_be_expected_to_hold_narrows_with_the_subjects() -> None:
    low, high = expected_coverage(40, 0.9)
    assert (low, high) == (pytest.approx(0.82, abs=0.01), pytest.approx(0.97, abs=0.01))
    assert expected_coverage(400, 0.9)[0] > 0.87


def test_doctests() -> None:
    assert doctest.testmod(uncertainty).failed == 0


def test_fewer_parts_never_get_narrower_intervals() -> None:
    """Even where few validation subjects happened to be answered well from one part alone."""
    rng = np.random.default_rng(0)
    targets = rng.uniform(0.3, 0.7, 40)
    names = [named(parts) for parts in SUBSETS]
    errors = {name: 0.2 if name.count("+") == 2 else 0.01 for name in names}
    answers = [
        {name: Answer(float(t + error * rng.standard_normal()), 0.02) for name, error in errors.items()}
        for t in targets
    ]
    intervals = fit_intervals(answers, targets, 0.9)
    assert intervals.width("mri") >= intervals.width("mri+pet") >= intervals.width("mri+pet+clinical")


def test_a_part_that_no_validation_subject_had_gets_the_widest_interval_and_says_so() -> None:
    intervals = fit_intervals(*drawn(50, 0), confidence=0.9)
    assert intervals.width("pet") == max(intervals.widths.values())
    assert not intervals.calibrated("pet")
    assert intervals.calibrated("mri")


def test_an_interval_stays_between_0_and_1() -> None:
    intervals = Intervals(confidence=0.9, floor=0.01, widths={"mri": 50.0}, rows={"mri": 40})
    assert intervals.interval(Answer(0.9, 0.02), "mri") == [0.0, 1.0]


def test_the_probability_of_a_high_score_rises_with_the_score() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, 200)
    event = fit_event(scores, np.clip(scores + 0.1 * rng.standard_normal(200), 0, 1), 0.5)
    assert event is not None
    low, middle, high = event.probability(np.array([0.1, 0.5, 0.9]))
    assert low < 0.1 < middle < 0.9 < high
    assert fit_event(scores, np.full(200, 0.9), 0.5) is None
