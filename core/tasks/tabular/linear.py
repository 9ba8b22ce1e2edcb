"""Logistic regression that chooses its own penalty, so that comparing with it is fair on narrow and wide tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegressionCV

Array = np.ndarray[Any, Any]


class PenalisedLogisticRegression(ClassifierMixin, BaseEstimator):
    """Small coefficients (L2) or few of them (L1, two classes only), of the strength of the lowest log-loss by folds.

    L1 does best where columns are many, L2 where they are few.
    """

    def __init__(self, *, strengths: Any = (0.03, 0.1, 0.3, 1.0, 3.0), folds: int = 5, random_state: Any = 0) -> None:
        self.strengths, self.folds, self.random_state = strengths, folds, random_state

    def fit(self, X: Any, y: Any) -> PenalisedLogisticRegression:
        """Fit to (rows, features) numbers on like scales and (rows,) classes."""
        from sklearn.model_selection import StratifiedKFold

        self.classes_, codes = np.unique(y, return_inverse=True)
        fewest = int(np.bincount(codes).min())
        folds = StratifiedKFold(max(min(self.folds, fewest), 2), shuffle=True, random_state=self.random_state)
        penalties = [{"l1_ratios": [0.0], "solver": "lbfgs"}]
        if len(self.classes_) == 2:
            penalties.append({"l1_ratios": [1.0], "solver": "liblinear"})
        fitted = [
            LogisticRegressionCV(
                Cs=list(self.strengths), cv=folds, scoring="neg_log_loss", max_iter=2000, use_legacy_attributes=False,
                random_state=self.random_state, **penalty,
            ).fit(X, codes)
            for penalty in penalties
        ]  # fmt: skip
        self.chosen_ = max(fitted, key=lambda one: float(np.mean(one.scores_, axis=0).max()))
        return self

    def predict_proba(self, X: Any) -> Array:
        """(rows, classes) probabilities, in the order of `classes_`."""
        return np.asarray(self.chosen_.predict_proba(X))

    def predict(self, X: Any) -> Array:
        """(rows,) classes."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
