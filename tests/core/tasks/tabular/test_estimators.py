"""The estimators keep scikit-learn's contract, give the same answer for the same seed, and survive a save."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from core.errors import ModelError
from core.tasks.tabular.estimators import (
    MLPTableClassifier,
    MLPTableRegressor,
    TokenTransformerClassifier,
    TokenTransformerRegressor,
)
from core.tasks.tabular.saving import load_estimator, save_estimator

SMALL = {
    MLPTableClassifier: {"hidden": (32,), "epochs": 40, "batch_size": 16, "lr": 5e-3, "patience": 0},
    TokenTransformerClassifier: {"d_model": 8, "heads": 2, "layers": 1, "epochs": 30, "batch_size": 16, "lr": 1e-2,
                                 "patience": 0},
}  # fmt: skip
SMALL |= {MLPTableRegressor: SMALL[MLPTableClassifier], TokenTransformerRegressor: SMALL[TokenTransformerClassifier]}
TINY = {"epochs": 3, "random_state": 3}


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:200], y[:200]


@pytest.mark.parametrize("kind", SMALL)
def test_an_estimator_passes_all_of_scikit_learns_checks(kind):
    results = check_estimator(kind(**SMALL[kind]), on_fail=None, on_skip=None)
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    assert len(results) > 50 and failed == {}


@pytest.mark.parametrize("kind", SMALL)
def test_the_same_seed_gives_the_same_probabilities_to_the_bit_also_after_a_save(kind, cancer, tmp_path):
    model = kind(**{**SMALL[kind], **TINY})
    ask = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    first, again = (getattr(model.fit(*cancer), ask)(cancer[0]) for _ in range(2))
    other = getattr(clone(model).set_params(random_state=4).fit(*cancer), ask)(cancer[0])
    loaded = load_estimator(save_estimator(model, tmp_path / "model"))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.array_equal(getattr(loaded, ask)(cancer[0]), first)
    assert np.array_equal(loaded.predict(cancer[0]), model.predict(cancer[0]))


def test_a_saved_estimator_keeps_its_classes_bags_and_threshold(tmp_path):
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]
    model = MLPTableClassifier(hidden=(8,), bags=2, teacher=LogisticRegression(), made=1, **TINY).fit(X, names)
    loaded = load_estimator(save_estimator(model, tmp_path))
    assert {file.suffix for file in tmp_path.iterdir()} == {".yaml", ".safetensors"}
    assert list(loaded.feature_names_in_) == list(X.columns) and loaded.teacher is None
    assert loaded.classes_.dtype == names.dtype and np.array_equal(loaded.predict(X), model.predict(X))


def test_damaged_files_of_an_estimator_are_refused(cancer, tmp_path):
    save_estimator(MLPTableClassifier(hidden=(4,), **TINY).fit(*cancer), tmp_path)
    settings = tmp_path / "estimator.yaml"
    kept = settings.read_text()
    tree = yaml.safe_load(kept)
    number = {"kind": "number", "mean": 0.0, "scale": 1.0}
    for key, value in (("estimator", "os.system"), ("settings", {"hidden": [10**9]}), ("settings", {"no_such": 1}),
                       ("outcome", {**tree["outcome"], "classes_type": "<V8"}), ("outcome", number)):  # fmt: skip
        settings.write_text(yaml.safe_dump({**tree, key: value}))
        with pytest.raises(ModelError):
            load_estimator(tmp_path)
    settings.write_text(kept)
    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="damaged"):
        load_estimator(tmp_path)


def test_an_estimator_works_in_a_pipeline_and_a_grid_search(cancer):
    pipeline = make_pipeline(
        StandardScaler(), MLPTableClassifier(hidden=(8,), epochs=10, batch_size=16, random_state=0)
    )
    search = GridSearchCV(pipeline, {"mlptableclassifier__dropout": [0.0, 0.2]}, cv=2, scoring="roc_auc")
    assert search.fit(*cancer).best_score_ > 0.9


def test_the_threshold_is_chosen_on_rows_that_the_networks_did_not_see():
    X, y = load_breast_cancer(return_X_y=True)
    rare = np.concatenate([np.flatnonzero(y == 0)[:25], np.flatnonzero(y == 1)])
    model = MLPTableClassifier(hidden=(8,), bags=2, epochs=15, threshold="f1", random_state=0)
    found = model.fit(X[rare], y[rare]).threshold_
    assert 0 < found < 1 and found != 0.5
    chosen = model.predict_proba(X)[:, 1] > found
    assert np.array_equal(model.predict(X), chosen.astype(int))


def test_a_number_is_predicted_in_its_own_unit_by_bags_that_stop_early():
    X, y = load_diabetes(return_X_y=True)
    model = MLPTableRegressor(
        hidden=(32,), bags=2, epochs=60, batch_size=32, patience=10, mixup=0.2, noise=0.1, random_state=0
    )
    assert model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.35
    assert 100 < model.predict(X[300:]).mean() < 200 and len(model.networks_) == 2
