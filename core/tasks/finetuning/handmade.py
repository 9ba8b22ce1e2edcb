"""Gradient boosting on features made by hand: what a network of stays has to be better than."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.data.stays.grid import Grid
from core.metrics import classification

Array = np.ndarray[Any, Any]


def features(grid: Grid) -> Array:
    """(stays, features) float32, NaN where nothing was measured: of each variable the mean, spread, extremes, first,
    last and late mean and the count of its steps, and the facts of the patient."""
    observed, values = grid.observed, grid.values
    steps = np.arange(values.shape[1])[None, :, None]
    count = observed.sum(1)
    none = count == 0
    late = observed & (steps >= grid.lengths[:, None, None] / 2)

    def mean(of: Array, where: Array) -> Array:
        number = where.sum(1)
        return np.where(number > 0, (of * where).sum(1) / np.maximum(number, 1), np.nan)

    middle = mean(values, observed)
    spread = np.sqrt(np.maximum(mean(values**2, observed) - middle**2, 0))
    first = np.take_along_axis(values, np.where(observed, steps, len(steps[0]) - 1).min(1)[:, None], 1)[:, 0]
    last = np.take_along_axis(values, np.where(observed, steps, 0).max(1)[:, None], 1)[:, 0]
    parts = [
        middle, spread, np.where(observed, values, np.inf).min(1), np.where(observed, values, -np.inf).max(1), first,
        last, mean(values, late),
    ]  # fmt: skip
    table = [np.where(none, np.nan, part) for part in parts]
    return np.concatenate([*table, count, grid.statics], axis=1).astype(np.float32)


def boosted(train: Grid, target: Array, test: Grid, truth: Array, *, seed: int, threads: int = 1) -> dict[str, float]:
    """Test figures of XGBoost on `features`; target and truth of 0 and 1. The settings suit a few thousand stays."""
    from xgboost import XGBClassifier

    few = min(target.sum(), (1 - target).sum()) < 50
    model = XGBClassifier(
        n_estimators=300, learning_rate=0.03, max_depth=2 if few else 4, subsample=0.7, colsample_bytree=0.3,
        min_child_weight=1 if few else 5, random_state=seed, n_jobs=threads,
    )  # fmt: skip
    model.fit(features(train), target)
    return classification.figures(model.predict_proba(features(test))[:, 1].astype(np.float64), truth)
