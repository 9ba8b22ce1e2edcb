"""Simple methods beside the network: they find what was put in, and nothing where nothing was put in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.control import JobControl
from core.data.cohort.read import read_cohort
from core.data.cohort.settings import CohortDataConfig
from core.data.cohort.split import split_subjects
from core.data.cohort.subject import Cohort
from core.errors import DatasetError
from core.imaging.mni import Grid
from core.simulation.alzheimers import Recipe, simulate
from core.tasks.alzheimers.baselines import Baseline, baselines
from core.tasks.alzheimers.kind import RiskModels
from core.tasks.alzheimers.regions import regional, regions

GRID = Grid((24, 32, 24), (6.5, 6.5, 6.5))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("baselines") / "cohort"
    simulate(folder, Recipe(subjects=110, seed=21, missing=0.1))
    return read_cohort(folder, CohortDataConfig(), JobControl())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("volumes")


def by_name(found: list[Baseline]) -> dict[tuple[str, str], float]:
    return {(one.method, one.source): one.metrics["pearson"] for one in found}


def test_every_source_tells_of_the_score_and_fused_ones_the_most(cohort: Cohort, cache: Path) -> None:
    drawn = []
    for seed in range(3):
        split = split_subjects(cohort, 0.05, 0.3, seed)
        found = baselines(cohort, split, GRID, cache, resamples=20)
        assert all(len(one.scores) == len(split["test"]) for one in found)
        drawn.append(by_name(found))
    r = {name: float(np.mean([one[name] for one in drawn])) for name in drawn[0]}
    assert len(r) == 6
    assert min(r.values()) > 0.6
    for method in ("ridge", "gradient boosting"):
        assert r[method, "fused"] > max(r[method, "clinical"], r[method, "images"])


def test_a_figure_lies_in_its_interval(cohort: Cohort, cache: Path) -> None:
    for one in baselines(cohort, split_subjects(cohort, 0.1, 0.4, 0), GRID, cache, resamples=100):
        low, high = one.intervals["pearson"]
        assert low < one.metrics["pearson"] < high


def test_shuffled_scores_carry_nothing(cohort: Cohort, cache: Path) -> None:
    drawn = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(cohort))
        subjects = [replace(s, target=cohort.subjects[k].target) for s, k in zip(cohort.subjects, order, strict=True)]
        shuffled = replace(cohort, subjects=subjects)
        split = split_subjects(shuffled, 0.1, 0.4, seed)
        drawn.append(by_name(baselines(shuffled, split, GRID, cache, resamples=5)))
    for method in drawn[0]:
        # Of 44 subjects r is off by 0.15 by chance alone; over three draws by 0.09.
        assert abs(np.mean([one[method] for one in drawn])) < 0.3, method


def test_nothing_is_fitted_on_the_subjects_that_are_measured(cohort: Cohort, cache: Path) -> None:
    """What the measured subjects' scores are does not change what is said of them."""
    split = split_subjects(cohort, 0.1, 0.3, 1)
    test = set(split["test"].tolist())
    subjects = [replace(s, target=1 - (s.target or 0.0)) if row in test else s for row, s in enumerate(cohort.subjects)]
    first = baselines(cohort, split, GRID, cache, resamples=2)
    second = baselines(replace(cohort, subjects=subjects), split, GRID, cache, resamples=2)
    assert [one.scores for one in first] == [one.scores for one in second]


def test_a_split_that_shares_a_subject_is_refused(cohort: Cohort, cache: Path) -> None:
    with pytest.raises(DatasetError, match="both in train and in test"):
        baselines(cohort, {"train": range(30), "test": range(29, 40)}, GRID, cache)


def test_too_few_subjects_are_refused(cohort: Cohort, cache: Path) -> None:
    with pytest.raises(DatasetError, match="too few"):
        baselines(cohort, {"train": range(3), "test": [5]}, GRID, cache)


def test_regions_are_a_few_dozen_and_never_lie_on_both_sides() -> None:
    for grid in (GRID, Grid()):
        known = regions(grid)
        assert 40 <= len(known.names) <= 120
        x = np.broadcast_to(grid.places_mm()[0], grid.shape)
        for code in range(1, len(known.names) + 1):
            at = x[known.codes == code]
            assert (at >= 0).all() or (at < 0).all()


def test_a_regions_mean_is_that_of_its_own_voxels() -> None:
    known = regions(GRID)
    volume = np.where(known.codes == 7, 3.0, 1.0).astype(np.float32)
    means = regional([(volume, None)], GRID)
    assert means.shape == (1, 2 * len(known.names))
    assert means[0, 6] == pytest.approx(3)
    assert means[0, [0, 8]].tolist() == pytest.approx([1, 1])
    assert np.isnan(means[0, len(known.names) :]).all()


def test_an_evaluation_on_a_runs_own_split_has_the_simple_methods_beside_it(trained: Any, cohort_folder: Path) -> None:
    result = RiskModels().evaluate(trained.package, cohort_folder, split="test")
    assert [one["title"] for one in result["baselines"]][2:4] == [
        "ridge, clinical values and regions", "gradient boosting, clinical values"
    ]  # fmt: skip
    for one in result["baselines"]:
        pair = one["comparison"]["mse"]
        assert pair["first"] == pytest.approx(one["metrics"]["mse"])
        assert pair["second"] == pytest.approx(result["metrics"]["test/mse"])
        assert pair["interval"][0] <= pair["difference"] <= pair["interval"][1]
    assert "baselines" not in RiskModels().evaluate(trained.package, cohort_folder)
