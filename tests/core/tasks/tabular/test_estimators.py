"""The estimators work in scikit-learn's pipelines and searches, and give the same answer for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.tasks.tabular.estimators import MLPTableClassifier


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:200], y[:200]


def test_the_same_seed_gives_the_same_probabilities_to_the_bit(cancer):
    model = MLPTableClassifier(hidden=(8,), epochs=3, random_state=3)
    first, again = (model.fit(*cancer).predict_proba(cancer[0]) for _ in range(2))
    other = MLPTableClassifier(hidden=(8,), epochs=3, random_state=4).fit(*cancer).predict_proba(cancer[0])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_estimator_works_in_a_pipeline_and_a_grid_search(cancer):
    pipeline = make_pipeline(
        StandardScaler(), MLPTableClassifier(hidden=(8,), epochs=10, batch_size=16, random_state=0)
    )
    search = GridSearchCV(pipeline, {"mlptableclassifier__dropout": [0.0, 0.2]}, cv=2, scoring="roc_auc")
    assert search.fit(*cancer).best_score_ > 0.9
