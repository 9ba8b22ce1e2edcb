"""Teachers judge rows that they have not seen, and rows made of others, and a network learns what they know."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from core import config
from core.data.tables.encode import fit_coding
from core.data.tables.table import Column, Table, column_of
from core.errors import ConfigError
from core.metrics.classification import figures
from core.tasks.tabular.linear import PenalisedLogisticRegression
from core.tasks.tabular.splitting import deal
from core.tasks.tabular.taught import training_rows
from core.tasks.tabular.teachers import NAMES, inputs_for, make_method, teach


class Memory(ClassifierMixin, BaseEstimator):
    """Knows the outcome of every row that it was fitted to, and nothing else."""

    def fit(self, X, y):
        self.classes_, self.known_ = np.unique(y), {row.tobytes(): label for row, label in zip(X, y, strict=True)}
        return self

    def predict_proba(self, X):
        found = np.full((len(X), 2), 0.5)
        for place, row in enumerate(X):
            if row.tobytes() in self.known_:
                found[place] = np.eye(2)[self.known_[row.tobytes()]]
        return found


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, 200).astype(np.float32)
    age[::7] = np.nan
    table = Table({
        "age": Column("age", "number", age), "size": Column("size", "number", rng.normal(size=200).astype(np.float32)),
        "sex": column_of("sex", rng.choice(["f", "m"], 200).tolist(), "category"),
    })  # fmt: skip
    coding = fit_coding(table)
    return coding, *coding.encode(table), (rng.random(200) < 0.4).astype(np.int64)


def test_a_row_is_judged_by_a_teacher_that_did_not_see_it(rows):
    coding, numbers, codes, target = rows
    fair = teach([Memory], numbers, codes, target, 2, coding, folds=5, made=0, seed=0).soft
    leaking = teach([Memory], numbers, codes, target, 2, coding, folds=0, made=0, seed=0).soft
    assert (fair == 0.5).all() and (leaking[np.arange(200), target] == 1).all()


def test_rows_of_one_subject_are_judged_together(rows):
    coding, numbers, codes, target = rows
    twice = [np.repeat(one, 2, axis=0) for one in (numbers, codes, target)]
    groups = np.repeat(np.arange(200), 2)
    assert (teach([Memory], *twice, 2, coding, folds=5, made=0, seed=0, groups=groups).soft == 0.5).all()


def test_made_rows_have_cells_of_real_ones_and_keep_whether_they_were_empty(rows):
    coding, numbers, codes, target = rows
    found = teach([lambda: PenalisedLogisticRegression(folds=2)], numbers, codes, target, 2, coding, folds=3, made=4,
                  seed=0)  # fmt: skip
    assert found.numbers.shape == (800, coding.width) and found.made_soft.sum(axis=1) == pytest.approx(1)
    assert {*map(tuple, found.numbers[:, [0, 2]].tolist())} <= {*map(tuple, numbers[:, [0, 2]].tolist())}
    assert not {*map(tuple, found.numbers.tolist())} <= {*map(tuple, numbers.tolist())}


def test_the_number_of_made_rows_is_bounded(rows, monkeypatch):
    coding, numbers, codes, target = rows
    for most, made in ((500, 400), (100, 0)):
        monkeypatch.setattr("core.tasks.tabular.teachers.MOST_MADE", most)
        assert len(teach([Memory], numbers, codes, target, 2, coding, folds=2, made=10, seed=0).numbers) == made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_every_method_is_fitted_to_numbers_and_classes(name, classes, rows):
    coding, numbers, codes, _ = rows
    inputs = inputs_for(numbers, codes, coding.cardinalities)
    score = numbers[:, 0] + numbers[:, 1]
    target = np.searchsorted(np.quantile(score, np.arange(1, classes) / max(classes, 1)), score) if classes else score
    method = make_method(name, 0, classes).fit(inputs, target)
    if classes:
        assert figures(method.predict_proba(inputs), target)["auroc"] > 0.95
    else:
        assert np.corrcoef(method.predict(inputs), target)[0, 1] > 0.9


def test_an_unknown_method_is_named():
    with pytest.raises(ConfigError, match="oracle"):
        make_method("oracle", 0, 2)


def test_folds_hold_the_outcomes_evenly_and_no_subject_twice():
    rng = np.random.default_rng(0)
    strata, groups = (rng.random(1000) < 0.1).astype(int), np.repeat(np.arange(250), 4)
    alone = deal(1000, strata, None, 5, 0)
    assert np.bincount(alone).tolist() == [200] * 5
    assert np.ptp(np.bincount(alone, weights=strata)) <= 1
    grouped = deal(1000, strata, groups, 5, 0)
    assert all(len(set(grouped[groups == name])) == 1 for name in range(250))
    assert np.array_equal(deal(1000, strata, groups, 5, 0), grouped) and np.ptp(np.bincount(grouped)) <= 12
    with pytest.raises(ConfigError, match="cannot be dealt"):
        deal(10, None, np.zeros(10, int), 2, 0)


def test_made_rows_weigh_less_than_those_whose_outcome_is_known(rows):
    coding, numbers, codes, target = rows
    asked = {"teacher": "logistic_regression", "made": 2, "made_weight": 0.5}
    task = config.parse({"task": {"name": "tabular", "distillation": asked}}).task
    found = training_rows(task, numbers, codes, target, 2, coding, seed=0)
    own, made = found.weight[: len(target)], found.weight[len(target) :]
    assert len(made) == 2 * len(target) and set(own.tolist()) == {1.0}
    assert np.allclose(made, 0.5) and set(found.share[len(target) :].tolist()) == {1.0}
