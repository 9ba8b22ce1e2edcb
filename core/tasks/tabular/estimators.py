"""Tabular networks with scikit-learn's interface: `fit`, `predict`, `predict_proba`, pipelines and grid searches.

from core.tasks.tabular.estimators import MLPTableClassifier
model = MLPTableClassifier(hidden=(256, 256), random_state=0).fit(X, y)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets

from core.metrics.calibration import fit_temperature, tempered
from core.metrics.classification import best_threshold
from core.tasks.tabular.estimating import TableEstimator, table_of

Array = np.ndarray[Any, Any]


class _Classifier(ClassifierMixin, TableEstimator):
    """What the classifiers share.

    bags: networks that are fitted, each early-stopped on a part of its own and averaged; 1: a single one.
    teacher: a method by name or several, or any scikit-learn classifier, to learn from; None: from the outcome alone.
    made: rows made of each row for the teacher to judge, at most 200,000; made_weight: of each beside a real one.
    class_weight: "balanced", or the weight of each class's rows by class.
    calibrate: one temperature, fitted to the rows that each network did not see.
    threshold: of the second class's probability, where there are two: a number, or what it is to be best by on those
    rows ("f1", "balanced_accuracy", "accuracy").

    `temperature_` and `threshold_` are what was found.
    """

    def _task(self) -> dict[str, Any]:
        teacher = self.teacher
        if teacher is not None and not isinstance(teacher, str | list | tuple):
            teacher = "xgboost"  # a fitted method of one's own takes its place
        distillation = {
            "teacher": teacher if isinstance(teacher, str) else list(teacher or ()), "weight": self.distill_weight,
            "temperature": self.temperature, "consistency": self.consistency, "made": self.made,
            "made_weight": self.made_weight,
        }  # fmt: skip
        return {
            "kind": "classification", "label_smoothing": self.label_smoothing,
            "balance_classes": self.class_weight == "balanced",
            "distillation": None if teacher is None else distillation,
        }  # fmt: skip

    def fit(self, X: Any, y: Any) -> Any:
        """Fit to (rows, features) numbers and (rows,) classes; returns the estimator itself."""
        X, y = self._checked(X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "this classifier needs samples of at least 2 classes in the data, but only one class is there"
            )
        codes = codes.astype(np.int64)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        held_out, judged = self._fit(X, codes, len(self.classes_), seed, codes)
        self._decide(held_out[judged], codes[judged])
        return self

    def _decide(self, held_out: Array, codes: Array) -> None:
        """The temperature and the threshold, from rows that the networks did not see."""
        self.temperature_ = fit_temperature(held_out, codes) if self.calibrate and len(codes) else 1.0
        self.threshold_ = self.threshold if not isinstance(self.threshold, str) else 0.5
        if isinstance(self.threshold, str) and len(codes) and len(self.classes_) == 2:
            self.threshold_ = best_threshold(tempered(held_out, self.temperature_)[:, 1], codes, self.threshold)

    def _train_rows(self, X: Array, target: Array, experiment: Any, seed: int) -> Any:
        """Coded rows, with a teacher's lessons where they are asked for."""
        from core.tasks.tabular.taught import training_rows

        own = None if self.teacher is None or isinstance(self.teacher, str | list | tuple) else self.teacher
        return training_rows(
            experiment.task, *self.coding_.encode(table_of(X)), target, len(self.classes_), self.coding_, seed=seed,
            teachers=None if own is None else [lambda: clone(own)], rates=self._rates(),
        )  # fmt: skip

    def _rates(self) -> Array | None:
        """The weight of each class's rows, where a dictionary gives some."""
        if not isinstance(self.class_weight, dict):
            return None
        return np.array([self.class_weight.get(name, 1.0) for name in self.classes_.tolist()], np.float64)

    def predict_proba(self, X: Any) -> Array:
        """(rows, classes) probabilities, in the order of `classes_`."""
        return tempered(self._said(X), self.temperature_)

    def predict(self, X: Any) -> Array:
        """(rows,) classes."""
        probabilities = self.predict_proba(X)
        if len(self.classes_) == 2:
            return np.asarray(self.classes_[(probabilities[:, 1] > self.threshold_).astype(int)])
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])


class _Regressor(RegressorMixin, TableEstimator):
    """What the regressions share: the outcome is standardised, and the mean squared error is least.

    bags: networks that are fitted, each early-stopped on a part of its own and averaged; 1: a single one.

    `mean_` and `scale_` are the outcome's.
    """

    def _task(self) -> dict[str, Any]:
        return {"kind": "regression"}

    def fit(self, X: Any, y: Any) -> Any:
        """Fit to (rows, features) numbers and (rows,) numbers; returns the estimator itself."""
        X, y = self._checked(X, y, y_numeric=True)
        y = np.asarray(y, np.float64)
        self.mean_, self.scale_ = float(y.mean()), float(y.std()) or 1.0
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._fit(X, ((y - self.mean_) / self.scale_).astype(np.float32), 1, seed, None)
        return self

    def predict(self, X: Any) -> Array:
        """(rows,) numbers."""
        return np.asarray(self._said(X)[:, 0] * self.scale_ + self.mean_)


class _MLP:
    """The settings of `core.models.tables.mlp`."""

    def network_settings(self: Any) -> dict[str, Any]:
        return {
            "name": "mlp", "hidden": list(self.hidden), "activation": self.activation, "dropout": self.dropout,
            "embed_numbers": self.embed_numbers, "members": self.members,
        }  # fmt: skip


class _Tokens:
    """The settings of `core.models.tables.tokens`."""

    def network_settings(self: Any) -> dict[str, Any]:
        return {
            "name": "tokens", "d_model": self.d_model, "heads": self.heads, "layers": self.layers,
            "dropout": self.dropout,
        }  # fmt: skip


class MLPTableClassifier(_MLP, _Classifier):
    """A multilayer perceptron for tables; see `core.models.tables.mlp` and `core.tasks.tabular` for the settings."""

    def __init__(
        self, *, hidden: Any = (256, 256), activation: str = "gelu", dropout: float = 0.15,
        embed_numbers: bool = False, members: int = 1, bags: int = 1, optimizer: str = "adamw", lr: float = 2e-3,
        weight_decay: float = 1e-2, warmup: float = 0.1, epochs: int = 200, batch_size: int = 256, patience: int = 30,
        gradient_clip: float = 1.0, mixup: float = 0.0, noise: float = 0.0, label_smoothing: float = 0.0,
        class_weight: Any = None, teacher: Any = None, distill_weight: float = 0.7, temperature: float = 2.0,
        consistency: float = 0.0, made: int = 10, made_weight: float = 0.25, calibrate: bool = True,
        threshold: Any = 0.5, validation_fraction: float = 0.15, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.hidden, self.activation, self.dropout = hidden, activation, dropout
        self.embed_numbers, self.members, self.bags = embed_numbers, members, bags
        self.optimizer, self.lr, self.weight_decay, self.warmup = optimizer, lr, weight_decay, warmup
        self.epochs, self.batch_size, self.patience, self.gradient_clip = epochs, batch_size, patience, gradient_clip
        self.mixup, self.noise, self.label_smoothing, self.class_weight = mixup, noise, label_smoothing, class_weight
        self.teacher, self.distill_weight, self.temperature = teacher, distill_weight, temperature
        self.consistency, self.made, self.made_weight = consistency, made, made_weight
        self.calibrate, self.threshold = calibrate, threshold
        self.validation_fraction, self.random_state = validation_fraction, random_state


class TokenTransformerClassifier(_Tokens, _Classifier):
    """A transformer over feature tokens; see `core.models.tables.tokens` and `core.tasks.tabular` for the settings."""

    def __init__(
        self, *, d_model: int = 64, heads: int = 8, layers: int = 3, dropout: float = 0.1, bags: int = 1,
        optimizer: str = "adamw", lr: float = 5e-4, weight_decay: float = 1e-2, warmup: float = 0.1, epochs: int = 100,
        batch_size: int = 256, patience: int = 20, gradient_clip: float = 1.0, mixup: float = 0.0, noise: float = 0.0,
        label_smoothing: float = 0.0, class_weight: Any = None, teacher: Any = None,
        distill_weight: float = 0.7, temperature: float = 2.0, consistency: float = 0.0, made: int = 10,
        made_weight: float = 0.25, calibrate: bool = True, threshold: Any = 0.5, validation_fraction: float = 0.15,
        random_state: Any = None,
    ) -> None:  # fmt: skip
        self.d_model, self.heads, self.layers, self.dropout, self.bags = d_model, heads, layers, dropout, bags
        self.optimizer, self.lr, self.weight_decay, self.warmup = optimizer, lr, weight_decay, warmup
        self.epochs, self.batch_size, self.patience, self.gradient_clip = epochs, batch_size, patience, gradient_clip
        self.mixup, self.noise, self.label_smoothing, self.class_weight = mixup, noise, label_smoothing, class_weight
        self.teacher, self.distill_weight, self.temperature = teacher, distill_weight, temperature
        self.consistency, self.made, self.made_weight = consistency, made, made_weight
        self.calibrate, self.threshold = calibrate, threshold
        self.validation_fraction, self.random_state = validation_fraction, random_state


class MLPTableRegressor(_MLP, _Regressor):
    """A multilayer perceptron that predicts a number; see `core.models.tables.mlp` for the settings."""

    def __init__(
        self, *, hidden: Any = (256, 256), activation: str = "gelu", dropout: float = 0.15,
        embed_numbers: bool = False, members: int = 1, bags: int = 1, optimizer: str = "adamw", lr: float = 2e-3,
        weight_decay: float = 1e-2, warmup: float = 0.1, epochs: int = 200, batch_size: int = 256, patience: int = 30,
        gradient_clip: float = 1.0, mixup: float = 0.0, noise: float = 0.0, validation_fraction: float = 0.15,
        random_state: Any = None,
    ) -> None:  # fmt: skip
        self.hidden, self.activation, self.dropout = hidden, activation, dropout
        self.embed_numbers, self.members, self.bags = embed_numbers, members, bags
        self.optimizer, self.lr, self.weight_decay, self.warmup = optimizer, lr, weight_decay, warmup
        self.epochs, self.batch_size, self.patience, self.gradient_clip = epochs, batch_size, patience, gradient_clip
        self.mixup, self.noise = mixup, noise
        self.validation_fraction, self.random_state = validation_fraction, random_state


class TokenTransformerRegressor(_Tokens, _Regressor):
    """A transformer over feature tokens that predicts a number; see `core.models.tables.tokens` for the settings."""

    def __init__(
        self, *, d_model: int = 64, heads: int = 8, layers: int = 3, dropout: float = 0.1, bags: int = 1,
        optimizer: str = "adamw", lr: float = 5e-4, weight_decay: float = 1e-2, warmup: float = 0.1, epochs: int = 100,
        batch_size: int = 256, patience: int = 20, gradient_clip: float = 1.0, mixup: float = 0.0, noise: float = 0.0,
        validation_fraction: float = 0.15, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.d_model, self.heads, self.layers, self.dropout, self.bags = d_model, heads, layers, dropout, bags
        self.optimizer, self.lr, self.weight_decay, self.warmup = optimizer, lr, weight_decay, warmup
        self.epochs, self.batch_size, self.patience, self.gradient_clip = epochs, batch_size, patience, gradient_clip
        self.mixup, self.noise = mixup, noise
        self.validation_fraction, self.random_state = validation_fraction, random_state
