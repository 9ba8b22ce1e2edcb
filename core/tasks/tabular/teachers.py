"""Fitted methods that a network can learn from, and is compared with: simple ones by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.errors import ConfigError

Array = np.ndarray[Any, Any]

NAMES = {
    "logistic_regression": "Logistic regression",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting (scikit-learn)",
    "xgboost": "XGBoost",
}


def make_teacher(name: str, seed: int) -> Any:
    """An unfitted scikit-learn classifier. Raises ConfigError for a name that is not known."""
    if name == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=300,
            learning_rate=0.05,
            max_depth=4,
            subsample=0.8,
            colsample_bytree=0.8,
            random_state=seed,
            n_jobs=1,  # its threads would compete with those of torch
        )
    if name == "gradient_boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(learning_rate=0.05, random_state=seed)
    if name == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(500, min_samples_leaf=2, random_state=seed)
    if name == "logistic_regression":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=0.1, max_iter=2000)
    raise ConfigError(f"there is no method named {name!r}", mend=f"Choose one of: {', '.join(NAMES)}.")


def teach(teacher: Any, inputs: Array, target: Array, classes: int, *, folds: int, seed: int) -> Array:
    """A teacher's probabilities (rows, classes) of the training rows.

    folds: each row is judged by a teacher that was fitted without it. A teacher that has seen a row knows its outcome,
    and would teach that rather than what it learned. 0: one teacher judges what it was fitted on.
    """
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedKFold

    found = np.zeros((len(target), classes))
    fewest = int(np.bincount(target).min())
    if folds < 2 or fewest < 2:
        model = clone(teacher).fit(inputs, target)
        found[:, model.classes_.astype(int)] = model.predict_proba(inputs)
        return found
    splitter = StratifiedKFold(min(folds, fewest), shuffle=True, random_state=seed)
    for fitted, judged in splitter.split(inputs, target):
        model = clone(teacher).fit(inputs[fitted], target[fitted])
        found[np.ix_(judged, model.classes_.astype(int))] = model.predict_proba(inputs[judged])
    return found
