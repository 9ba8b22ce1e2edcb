"""The figures agree with scikit-learn's, and say nothing where the rows define none."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy.stats import pearsonr

from core.metrics import classification, regression


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_binary_figures_agree_with_scikit_learn_also_with_ties(rng):
    target = rng.integers(0, 2, 300)
    risk = np.clip(0.3 * target + rng.random(300) * 0.6, 0.01, 0.99).round(2)
    found = classification.figures(risk, target, threshold=0.4)
    chosen = risk > 0.4
    assert found == pytest.approx(
        found
        | {
            "loss": sk.log_loss(target, risk), "auroc": sk.roc_auc_score(target, risk),
            "auprc": sk.average_precision_score(target, risk), "f1": sk.f1_score(target, chosen),
            "brier": sk.brier_score_loss(target, risk), "accuracy": sk.accuracy_score(target, chosen),
            "sensitivity": sk.recall_score(target, chosen), "precision": sk.precision_score(target, chosen),
            "balanced_accuracy": sk.balanced_accuracy_score(target, chosen),
        }
    )  # fmt: skip
    assert classification.figures(np.column_stack([1 - risk, risk]), target, threshold=0.4) == found


def test_multiclass_figures_agree_with_scikit_learn(rng):
    target = rng.integers(0, 4, 400)
    logits = rng.normal(size=(400, 4)) + 1.5 * np.eye(4)[target]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = classification.figures(shares, target)
    assert found["loss"] == pytest.approx(sk.log_loss(target, shares))
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(target, shares, multi_class="ovr"))
    assert found["f1"] == pytest.approx(sk.f1_score(target, shares.argmax(1), average="macro"))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(target, shares.argmax(1)))


def test_multilabel_figures_are_means_over_labels_of_the_rows_that_are_known(rng):
    target = rng.integers(0, 2, (100, 3)).astype(float)
    target[:40, 1] = np.nan
    shares = rng.random((100, 3))
    each = [sk.roc_auc_score(target[40 if i == 1 else 0 :, i], shares[40 if i == 1 else 0 :, i]) for i in range(3)]
    assert classification.figures(shares, target)["auroc"] == pytest.approx(np.mean(each))


def test_one_class_alone_has_no_auroc_but_a_loss():
    found = classification.figures(np.array([0.2, 0.4]), np.array([0, 0]))
    assert "auroc" not in found and "sensitivity" not in found and found["specificity"] == 1.0
    assert found["loss"] == pytest.approx(-np.log([0.8, 0.6]).mean())


def test_a_class_that_the_rows_lack_does_not_count():
    shares = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.3, 0.6, 0.1]])
    found = classification.figures(shares, np.array([0, 1, 1]))
    assert found["auroc"] == found["f1"] == 1.0


@pytest.mark.parametrize("by", classification.THRESHOLD_RULES)
def test_the_best_threshold_is_as_good_as_any_of_the_rows_own(by, rng):
    target = (rng.random(200) < 0.2).astype(int)
    risk = np.clip(rng.normal(0.2 + 0.3 * target, 0.2), 0, 1).round(2)
    best = classification.best_threshold(risk, target, by)
    others = [classification.figures(risk, target, threshold=t)[by] for t in np.linspace(-0.01, 1, 203)]
    assert classification.figures(risk, target, threshold=best)[by] == pytest.approx(max(others))


def test_regression_figures_agree_with_scikit_learn(rng):
    target = rng.normal(50, 10, 80)
    values = target + rng.normal(0, 5, 80)
    found = regression.figures(values, target)
    assert found["r2"] == pytest.approx(sk.r2_score(target, values))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(target, values))
    assert found["pearson"] == pytest.approx(pearsonr(values, target).statistic)
    assert regression.figures(np.full(3, 2.0), np.array([1.0, 2, 3]))["pearson"] == 0.0


def test_of_equal_targets_nothing_is_explained():
    target = np.full(3, 0.1)  # whose mean is not 0.1 in floating point
    found = regression.figures(np.array([0.2, 0.3, 0.4]), target)
    assert (found["r2"], found["pearson"]) == (0.0, pytest.approx(0.0))
