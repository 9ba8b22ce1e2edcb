"""Intervals cover the truth about as often as they say, and a paired test tells a better model from an equal one."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics.calibration import fit_temperature, tempered
from core.metrics.classification import auroc, figures
from core.metrics.intervals import bootstrap, bootstrap_mean, compare


def area(outputs, target):
    return {"auroc": auroc(outputs, target)} if 0 < target.sum() < len(target) else {}


def risks(seed, rows=400, gain=1.0):
    rng = np.random.default_rng(seed)
    target = (rng.random(rows) < 0.4).astype(int)
    return gain * target + rng.normal(size=rows), target


def test_the_interval_covers_the_true_area_about_as_often_as_it_says():
    truth = 0.7602  # of two normal distributions one standard deviation apart: Phi(1 / sqrt 2)
    inside = []
    for seed in range(60):
        low, high = bootstrap(area, *risks(seed, 150), resamples=200)["auroc"]
        inside.append(low <= truth <= high)
    assert 0.85 <= np.mean(inside) <= 1.0


def test_rows_of_one_subject_are_resampled_together():
    score, target = risks(0, 60)
    again = np.repeat(np.arange(60), 20)
    alone = bootstrap(area, score[again], target[again], resamples=200)["auroc"]
    together = bootstrap(area, score[again], target[again], groups=again, resamples=200)["auroc"]
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])


def test_a_paired_test_tells_a_better_model_from_an_equal_one():
    score, target = risks(1)
    rng = np.random.default_rng(2)
    worse = compare(area, score, score + rng.normal(0, 2, len(score)), target, resamples=300)["auroc"]
    equal = compare(area, score, score + rng.normal(0, 0.05, len(score)), target, resamples=300)["auroc"]
    assert worse.p < 0.01 and worse.interval[1] < 0 and worse.difference == pytest.approx(worse.second - worse.first)
    assert equal.p > 0.05


def test_the_same_seed_gives_the_same_interval():
    score, target = risks(3)
    risk = 1 / (1 + np.exp(-score))
    assert bootstrap(figures, risk, target, resamples=50) == bootstrap(figures, risk, target, resamples=50)
    assert bootstrap_mean(score) == bootstrap_mean(score)


def test_a_temperature_makes_too_sure_probabilities_right():
    score, target = risks(4, 2000)
    odds = score - 0.5 + np.log(2 / 3)  # the true log-odds
    sure = 1 / (1 + np.exp(-3 * odds))
    probabilities = np.column_stack([1 - sure, sure])
    temperature = fit_temperature(probabilities, target)
    assert temperature == pytest.approx(3.0, rel=0.15)
    assert figures(tempered(probabilities, temperature), target)["loss"] < figures(probabilities, target)["loss"]
