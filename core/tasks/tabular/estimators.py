"""Tabular networks with scikit-learn's interface: `fit`, `predict`, `predict_proba`, pipelines and grid searches.

from core.tasks.tabular.estimators import MLPTableClassifier
model = MLPTableClassifier(hidden=(256, 256), random_state=0).fit(X, y)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from core import config
from core.data.tables.encode import TableCoding, fit_coding
from core.data.tables.table import Column, Table
from core.metrics.calibration import fit_temperature, tempered
from core.metrics.classification import best_threshold

Array = np.ndarray[Any, Any]

FEWEST_TO_VALIDATE = 40
AT_ONCE = 4096  # rows


class _NetworkClassifier(ClassifierMixin, BaseEstimator):
    """What the classifiers share; a subclass names its network's settings.

    bags: networks that are fitted, each early-stopped on a part of its own and averaged; 1: a single one.
    teacher: a method by name or several, or any scikit-learn classifier, to learn from; None: from the outcome alone.
    made: rows made of each row for the teacher to judge, at most 200,000.
    class_weight: "balanced", or the weight of each class's rows by class.
    calibrate: one temperature, fitted to the rows that each network did not see.
    threshold: of the second class's probability, where there are two: a number, or what it is to be best by on those
    rows ("f1", "balanced_accuracy", "accuracy").

    `temperature_` and `threshold_` are what was found, `networks_` the fitted networks, `coding_` how columns are read.
    """

    def _network(self) -> dict[str, Any]:
        raise NotImplementedError

    def _experiment(self) -> Any:
        teacher = self.teacher
        if teacher is not None and not isinstance(teacher, str | list | tuple):
            teacher = "xgboost"  # a fitted method of one's own takes its place
        distillation = {
            "teacher": teacher if isinstance(teacher, str) else list(teacher or ()), "weight": self.distill_weight,
            "temperature": self.temperature, "consistency": self.consistency, "made": self.made,
        }  # fmt: skip
        tree = {
            "task": {
                "name": "tabular", "kind": "classification", "label_smoothing": self.label_smoothing,
                "mixup": self.mixup, "noise": self.noise, "balance_classes": self.class_weight == "balanced",
                "distillation": None if teacher is None else distillation,
            },
            "model": self._network(),
            "optimizer": {"name": self.optimizer, "lr": self.lr, "weight_decay": self.weight_decay},
            "scheduler": {"name": "warmup_cosine", "warmup": self.warmup},
            "trainer": {
                "epochs": self.epochs, "batch_size": self.batch_size, "early_stopping": self.patience,
                "gradient_clip": self.gradient_clip,
            },
        }  # fmt: skip
        return config.parse(tree)

    def fit(self, X: Any, y: Any) -> Any:
        """Fit to (rows, features) numbers and (rows,) classes; returns the estimator itself."""
        from core.tasks.tabular.fitting import fit_network

        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "this classifier needs samples of at least 2 classes in the data, but only one class is there"
            )
        experiment = self._experiment()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.coding_ = fit_coding(_table(X), identifiers=True) if _varies(X) else TableCoding(numbers=[], words=[])
        self.networks_: list[Any] = []
        held_out = np.zeros((len(codes), len(self.classes_)))
        judged = np.zeros(len(codes), bool)
        for number, (train, val) in enumerate(self._parts(codes, seed)):
            rows = self._rows(X[train], codes[train], experiment, seed)
            valid = self._rows(X[val], codes[val], None, seed) if len(val) else None
            network = fit_network(
                experiment, rows, valid, cardinalities=[], classes=len(self.classes_), seed=seed + number
            )
            self.networks_.append(network.double())
            if len(val):
                held_out[val] = self._outputs(network, X[val])
                judged[val] = True
        self._decide(held_out[judged], codes[judged])
        return self

    def _decide(self, held_out: Array, codes: Array) -> None:
        """The temperature and the threshold, from rows that the networks did not see."""
        self.temperature_ = fit_temperature(held_out, codes) if self.calibrate and len(codes) else 1.0
        self.threshold_ = self.threshold if not isinstance(self.threshold, str) else 0.5
        if isinstance(self.threshold, str) and len(codes) and len(self.classes_) == 2:
            self.threshold_ = best_threshold(tempered(held_out, self.temperature_)[:, 1], codes, self.threshold)

    def _parts(self, codes: Array, seed: int) -> list[tuple[Array, Array]]:
        """The rows that are fitted and those that stop the fit, for each network."""
        from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

        everything = np.arange(len(codes))
        fewest = int(np.bincount(codes).min())
        if not self.patience or len(codes) < FEWEST_TO_VALIDATE or fewest < 2:
            return [(everything, everything[:0])] * self.bags
        if self.bags > 1:
            folds = StratifiedKFold(min(self.bags, fewest), shuffle=True, random_state=seed)
            return [(train, val) for train, val in folds.split(everything, codes)]
        size = max(round(self.validation_fraction * len(codes)), len(self.classes_))
        return list(StratifiedShuffleSplit(1, test_size=size, random_state=seed).split(everything, codes))

    def _rows(self, X: Array, codes: Array, experiment: Any, seed: int) -> Any:
        """Coded rows, with a teacher's lessons where there is an experiment that asks for them."""
        from core.tasks.tabular.data import Rows
        from core.tasks.tabular.taught import training_rows

        numbers, words = self.coding_.encode(_table(X))
        if experiment is None:
            return Rows.of(numbers, words, codes.astype(np.int64))
        own = None if self.teacher is None or isinstance(self.teacher, str | list | tuple) else self.teacher
        return training_rows(
            experiment.task, numbers, words, codes.astype(np.int64), len(self.classes_), self.coding_, seed=seed,
            teachers=None if own is None else [lambda: clone(own)], rates=self._rates(),
        )  # fmt: skip

    def _rates(self) -> Array | None:
        """The weight of each class's rows, where a dictionary gives some."""
        if not isinstance(self.class_weight, dict):
            return None
        return np.array([self.class_weight.get(name, 1.0) for name in self.classes_.tolist()], np.float64)

    def _outputs(self, network: Any, X: Array) -> Array:
        """Probabilities in double precision, so that they do not depend on which rows are asked together."""
        import torch

        numbers, words = self.coding_.encode(_table(X))
        with torch.inference_mode():
            parts = [
                network(torch.from_numpy(numbers[i : i + AT_ONCE]).double(), torch.from_numpy(words[i : i + AT_ONCE]))
                for i in range(0, len(numbers), AT_ONCE)
            ]
            return torch.cat(parts).softmax(dim=-1).mean(dim=1).numpy()

    def predict_proba(self, X: Any) -> Array:
        """(rows, classes) probabilities, in the order of `classes_`."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        mean = np.mean([self._outputs(network, X) for network in self.networks_], axis=0)
        return tempered(mean, self.temperature_)

    def predict(self, X: Any) -> Array:
        """(rows,) classes."""
        probabilities = self.predict_proba(X)
        if len(self.classes_) == 2:
            return np.asarray(self.classes_[(probabilities[:, 1] > self.threshold_).astype(int)])
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class MLPTableClassifier(_NetworkClassifier):
    """A multilayer perceptron for tables; see `core.models.tables.mlp` and `core.tasks.tabular` for the settings."""

    def __init__(
        self, *, hidden: Any = (256, 256), activation: str = "gelu", dropout: float = 0.15,
        embed_numbers: bool = False, members: int = 1, bags: int = 1, optimizer: str = "adamw", lr: float = 2e-3,
        weight_decay: float = 1e-2, warmup: float = 0.1, epochs: int = 200, batch_size: int = 256, patience: int = 30,
        gradient_clip: float = 1.0, mixup: float = 0.0, noise: float = 0.0, label_smoothing: float = 0.0,
        class_weight: Any = None, teacher: Any = None, distill_weight: float = 0.7, temperature: float = 2.0,
        consistency: float = 0.0, made: int = 10, calibrate: bool = True, threshold: Any = 0.5,
        validation_fraction: float = 0.15, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.hidden, self.activation, self.dropout = hidden, activation, dropout
        self.embed_numbers, self.members, self.bags = embed_numbers, members, bags
        self.optimizer, self.lr, self.weight_decay, self.warmup = optimizer, lr, weight_decay, warmup
        self.epochs, self.batch_size, self.patience, self.gradient_clip = epochs, batch_size, patience, gradient_clip
        self.mixup, self.noise, self.label_smoothing, self.class_weight = mixup, noise, label_smoothing, class_weight
        self.teacher, self.distill_weight, self.temperature = teacher, distill_weight, temperature
        self.consistency, self.made, self.calibrate, self.threshold = consistency, made, calibrate, threshold
        self.validation_fraction, self.random_state = validation_fraction, random_state

    def _network(self) -> dict[str, Any]:
        return {
            "name": "mlp", "hidden": list(self.hidden), "activation": self.activation, "dropout": self.dropout,
            "embed_numbers": self.embed_numbers, "members": self.members,
        }  # fmt: skip


class TokenTransformerClassifier(_NetworkClassifier):
    """A transformer over feature tokens; see `core.models.tables.tokens` and `core.tasks.tabular` for the settings."""

    def __init__(
        self, *, d_model: int = 64, heads: int = 8, layers: int = 3, dropout: float = 0.1, bags: int = 1,
        optimizer: str = "adamw", lr: float = 5e-4, weight_decay: float = 1e-2, warmup: float = 0.1, epochs: int = 100,
        batch_size: int = 256, patience: int = 20, gradient_clip: float = 1.0, mixup: float = 0.0, noise: float = 0.0,
        label_smoothing: float = 0.0, class_weight: Any = None, teacher: Any = None,
        distill_weight: float = 0.7, temperature: float = 2.0, consistency: float = 0.0, made: int = 10,
        calibrate: bool = True, threshold: Any = 0.5, validation_fraction: float = 0.15, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.d_model, self.heads, self.layers, self.dropout, self.bags = d_model, heads, layers, dropout, bags
        self.optimizer, self.lr, self.weight_decay, self.warmup = optimizer, lr, weight_decay, warmup
        self.epochs, self.batch_size, self.patience, self.gradient_clip = epochs, batch_size, patience, gradient_clip
        self.mixup, self.noise, self.label_smoothing, self.class_weight = mixup, noise, label_smoothing, class_weight
        self.teacher, self.distill_weight, self.temperature = teacher, distill_weight, temperature
        self.consistency, self.made, self.calibrate, self.threshold = consistency, made, calibrate, threshold
        self.validation_fraction, self.random_state = validation_fraction, random_state

    def _network(self) -> dict[str, Any]:
        return {
            "name": "tokens", "d_model": self.d_model, "heads": self.heads, "layers": self.layers,
            "dropout": self.dropout,
        }  # fmt: skip


def _table(X: Array) -> Table:
    """Columns of numbers, named by their place."""
    return Table({str(i): Column(str(i), "number", X[:, i]) for i in range(X.shape[1])})


def _varies(X: Array) -> bool:
    """Whether anything can be learned from: some column has two different values."""
    return bool((np.nanmax(X, axis=0, initial=-np.inf) > np.nanmin(X, axis=0, initial=np.inf)).any())
