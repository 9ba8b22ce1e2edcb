"""What tabular networks with scikit-learn's interface do alike: an experiment of settings, coding, fitting."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from core import config
from core.data.tables.encode import TableCoding, fit_coding
from core.data.tables.table import Column, Table

Array = np.ndarray[Any, Any]

FEWEST_TO_VALIDATE = 40
AT_ONCE = 4096  # rows


class TableEstimator(BaseEstimator):
    """A subclass names its network's settings, and says what is learned.

    `networks_` are the fitted networks, `coding_` says how columns are read.
    """

    def network_settings(self) -> dict[str, Any]:
        """The part `model` of an experiment."""
        raise NotImplementedError

    def _task(self) -> dict[str, Any]:
        raise NotImplementedError

    def _experiment(self) -> Any:
        tree = {
            "task": {"name": "tabular", "noise": self.noise, "mixup": self.mixup, **self._task()},
            "model": self.network_settings(),
            "optimizer": {"name": self.optimizer, "lr": self.lr, "weight_decay": self.weight_decay},
            "scheduler": {"name": "warmup_cosine", "warmup": self.warmup},
            "trainer": {
                "epochs": self.epochs, "batch_size": self.batch_size, "early_stopping": self.patience,
                "gradient_clip": self.gradient_clip,
            },
        }  # fmt: skip
        return config.parse(tree)

    def _checked(self, X: Any, y: Any, **more: Any) -> tuple[Array, Array]:
        return validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2, **more)

    def _fit(self, X: Array, target: Array, outputs: int, seed: int, strata: Array | None) -> tuple[Array, Array]:
        """Fit the networks to (rows, features) and (rows,) targets as `Rows` holds them.

        strata: (rows,) class codes that every part has as many of; None where there are none. Returns what networks
        that did not see a row say of it (rows, outputs), and of which rows there is such a thing.
        """
        from core.tasks.tabular.fitting import fit_network

        experiment = self._experiment()
        self.coding_ = fit_coding(table_of(X), identifiers=True) if varies(X) else TableCoding(numbers=[], words=[])
        self.networks_: list[Any] = []
        held_out = np.zeros((len(target), outputs))
        judged = np.zeros(len(target), bool)
        for number, (train, val) in enumerate(self._parts(len(target), strata, seed)):
            network = fit_network(
                experiment, self._train_rows(X[train], target[train], experiment, seed),
                self._rows(X[val], target[val]) if len(val) else None, cardinalities=[], classes=outputs,
                seed=seed + number,
            )  # fmt: skip
            self.networks_.append(network.double())
            if len(val):
                held_out[val] = self._outputs(network, X[val])
                judged[val] = True
        return held_out, judged

    def _parts(self, rows: int, strata: Array | None, seed: int) -> list[tuple[Array, Array]]:
        """The rows that are fitted and those that stop the fit, for each network."""
        from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

        everything = np.arange(rows)
        fewest = rows if strata is None else int(np.bincount(strata).min())
        if not self.patience or rows < FEWEST_TO_VALIDATE or fewest < 2:
            return [(everything, everything[:0])] * self.bags
        if self.bags > 1:
            kind = KFold if strata is None else StratifiedKFold
            folds = kind(min(self.bags, fewest), shuffle=True, random_state=seed)
            return list(folds.split(everything, strata))
        size = max(round(self.validation_fraction * rows), 1 if strata is None else int(strata.max()) + 1)
        once = ShuffleSplit if strata is None else StratifiedShuffleSplit
        return list(once(1, test_size=size, random_state=seed).split(everything, strata))

    def _rows(self, X: Array, target: Array) -> Any:
        from core.tasks.tabular.data import Rows

        return Rows.of(*self.coding_.encode(table_of(X)), target)

    def _train_rows(self, X: Array, target: Array, experiment: Any, seed: int) -> Any:
        """Coded rows with what else is to be learned of them."""
        return self._rows(X, target)

    def _outputs(self, network: Any, X: Array) -> Array:
        """(rows, outputs) in double precision, so that they do not depend on which rows are asked together."""
        import torch

        numbers, words = self.coding_.encode(table_of(X))
        with torch.inference_mode():
            parts = [
                network(torch.from_numpy(numbers[i : i + AT_ONCE]).double(), torch.from_numpy(words[i : i + AT_ONCE]))
                for i in range(0, len(numbers), AT_ONCE)
            ]
            said = torch.cat(parts)
            return (said if said.shape[-1] == 1 else said.softmax(dim=-1)).mean(dim=1).numpy()

    def _said(self, X: Any) -> Array:
        """(rows, outputs): the mean of what the networks say of new rows."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return np.asarray(np.mean([self._outputs(network, X) for network in self.networks_], axis=0))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def table_of(X: Array) -> Table:
    """Columns of numbers, named by their place."""
    return Table({str(i): Column(str(i), "number", X[:, i]) for i in range(X.shape[1])})


def varies(X: Array) -> bool:
    """Whether anything can be learned from: some column has two different values."""
    return bool((np.nanmax(X, axis=0, initial=-np.inf) > np.nanmin(X, axis=0, initial=np.inf)).any())
