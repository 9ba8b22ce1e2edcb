"""The curves agree with scikit-learn's and with counting; they are plain values."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.linear_model import LogisticRegression

from core.metrics import curves


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    target = (rng.random(1500) < 0.3).astype(int)
    return np.clip(rng.normal(0.3 + 0.25 * target, 0.15), 0.001, 0.999).round(3), target


def test_areas_under_the_curves_are_those_of_the_figures(data):
    risk, target = data
    found = curves.binary_curves(risk, target)
    assert np.trapezoid(found.roc.true_positive, found.roc.false_positive) == pytest.approx(found.roc.area, abs=1e-3)
    assert found.roc.area == pytest.approx(sk.roc_auc_score(target, risk))
    assert found.precision_recall.area == pytest.approx(sk.average_precision_score(target, risk))
    assert len(found.roc.thresholds) <= curves.MOST_POINTS
    assert json.loads(json.dumps(found.as_dict()))["decision"]["act_on_none"][0] == 0.0


def test_a_point_of_the_roc_curve_is_what_its_threshold_gives(data):
    risk, target = data
    roc = curves.roc(risk, target)
    for place in (0, 10, 100, -1):
        above = risk > roc.thresholds[place]
        assert above[target == 1].mean() == pytest.approx(roc.true_positive[place])
        assert above[target == 0].mean() == pytest.approx(roc.false_positive[place])
    matrix = curves.confusion(np.column_stack([1 - risk, risk]), target, ["no", "yes"], roc.thresholds[10]).matrix
    assert matrix[1][1] == round(roc.true_positive[10] * roc.positives)


@pytest.mark.parametrize("equal", ["width", "rows"])
def test_calibration_bins_hold_all_rows_and_the_slope_is_that_of_a_logistic_regression(data, equal):
    risk, target = data
    found = curves.calibration(risk, target, equal=equal)
    assert sum(found.count) == len(target)
    assert np.average(found.observed, weights=found.count) == pytest.approx(target.mean())
    assert all(low <= share <= high for low, share, high in zip(found.low, found.observed, found.high, strict=True))
    odds = np.log(risk / (1 - risk))[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(odds, target)
    assert (found.slope, found.intercept) == pytest.approx((model.coef_[0, 0], model.intercept_[0]), abs=1e-3)


def test_net_benefit_is_counted(data):
    risk, target = data
    found = curves.decision_curve(risk, target, [0.2])
    hits, alarms = ((risk > 0.2) & (target == 1)).mean(), ((risk > 0.2) & (target == 0)).mean()
    assert found.model == pytest.approx([hits - alarms * 0.25])
    assert found.act_on_all == pytest.approx([target.mean() - (1 - target.mean()) * 0.25])


def test_perfectly_told_apart_classes_have_no_finite_slope_and_one_class_has_no_roc():
    risk, target = np.array([0.1] * 20 + [0.9] * 20), np.array([0] * 20 + [1] * 20)
    assert curves.calibration(risk, target).slope is None
    assert curves.binary_curves(risk, np.zeros(40)).roc is None
