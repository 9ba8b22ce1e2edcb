"""Fitted methods that a network can learn from, and is compared with: simple ones by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.tables.encode import TableCoding
from core.errors import ConfigError
from core.tasks.tabular.splitting import deal

Array = np.ndarray[Any, Any]
Make = Callable[[], Any]  # an unfitted scikit-learn classifier or regressor

NAMES = {
    "logistic_regression": "Logistic regression",
    "random_forest": "Random forest",
    "gradient_boosting": "Gradient boosting (scikit-learn)",
    "xgboost": "XGBoost",
}

MOST_MADE = 200_000  # rows that are made up for the teachers to judge
MOST_ONE_HOT = 50  # words of a column that a method sees one by one
LARGEST_SWAP = 0.6  # part of a made row's cells that are another row's


def make_method(name: str, seed: int, classes: int) -> Any:
    """An unfitted scikit-learn classifier, or with 0 classes a regressor. Raises ConfigError for an unknown name.

    One thread each, as their threads would compete with those of torch.
    """
    number = not classes
    if name == "xgboost":
        import xgboost

        make = xgboost.XGBRegressor if number else xgboost.XGBClassifier
        return make(**_BOOSTED, random_state=seed, n_jobs=1)
    if name == "gradient_boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        boosting = HistGradientBoostingRegressor if number else HistGradientBoostingClassifier
        return boosting(learning_rate=0.05, random_state=seed)
    if name == "random_forest":
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        forest = RandomForestRegressor if number else RandomForestClassifier
        return forest(500, min_samples_leaf=2, random_state=seed)
    if name == "logistic_regression":
        return _linear(seed, classes)
    raise ConfigError(f"there is no method named {name!r}", mend=f"Choose one of: {', '.join(NAMES)}.")


_BOOSTED = {"n_estimators": 400, "learning_rate": 0.03, "max_depth": 4, "subsample": 0.7, "colsample_bytree": 0.4}


def _linear(seed: int, classes: int) -> Any:
    """A linear method whose penalty and its strength are chosen by folds of its own."""
    from sklearn.linear_model import RidgeCV

    if not classes:
        return RidgeCV(np.logspace(-2, 4, 13))
    from core.tasks.tabular.linear import PenalisedLogisticRegression

    return PenalisedLogisticRegression(random_state=seed)


def inputs_for(numbers: Array, codes: Array, cardinalities: Sequence[int]) -> Array:
    """What a simple method sees of coded rows: the numbers, and words one by one where a column has few, else codes."""
    parts = [numbers]
    for place, count in enumerate(cardinalities):
        column = codes[:, place]
        one_by_one = count <= MOST_ONE_HOT
        parts.append(np.eye(count, dtype=np.float32)[column] if one_by_one else column[:, None].astype(np.float32))
    return np.concatenate(parts, axis=1) if len(parts) > 1 else numbers


@dataclass(frozen=True)
class Lessons:
    """soft: the teachers' mean probabilities (rows, classes) of the training rows.

    numbers, codes, made_soft: rows that were made up, and the teachers' probabilities of them.
    """

    soft: Array
    numbers: Array
    codes: Array
    made_soft: Array


def teach(
    makers: Sequence[Make], numbers: Array, codes: Array, target: Array, classes: int, coding: TableCoding, *,
    folds: int, made: int, seed: int, groups: Array | None = None, control: JobControl | None = None,
) -> Lessons:  # fmt: skip
    """What teachers have to say of the training rows, and of rows made of them.

    folds: each row is judged by teachers that were fitted without it. A teacher that has seen a row knows its outcome,
    and would teach that rather than what it learned. 0: one set of teachers judges what it was fitted on.
    made: further rows for each row: it with some cells from other rows. A few thousand rows do not tell a network what
    a teacher is like between them; more rows do (Fakoor et al., arXiv 2006.14284). groups: (rows,) stay in one fold.
    """
    control = control or JobControl()
    rng = np.random.default_rng((seed, 2))
    fold_of = _folds(target, groups, folds, seed)
    made = min(made, MOST_MADE // max(len(target), 1))
    soft = np.zeros((len(target), classes))
    parts: list[tuple[Array, Array, Array]] = []
    inputs = inputs_for(numbers, codes, coding.cardinalities)
    for fold in range(fold_of.max() + 1):
        judged = np.flatnonzero(fold_of == fold)
        fitted = np.flatnonzero(fold_of != fold) if fold_of.any() else judged
        teachers = []
        for make in makers:
            control.check()
            teachers.append(make().fit(inputs[fitted], target[fitted]))
        soft[judged] = _mean(teachers, inputs[judged], classes)
        for _ in range(made):
            control.check()
            swapped = _swapped(numbers, codes, judged, coding, rng)
            parts.append((*swapped, _mean(teachers, inputs_for(*swapped, coding.cardinalities), classes)))
    if not parts:
        return Lessons(soft, numbers[:0], codes[:0], soft[:0])
    return Lessons(soft, *(np.concatenate(one) for one in zip(*parts, strict=True)))


def _folds(target: Array, groups: Array | None, folds: int, seed: int) -> Array:
    """The fold of each row; all 0 where there are too few rows of an outcome for folds."""
    members = len(target) if groups is None else len(np.unique(groups))
    most = min(folds, int(np.bincount(target).min()), members)
    if most < 2:
        return np.zeros(len(target), np.int64)
    return deal(len(target), target, groups, most, seed)


def _mean(teachers: Sequence[Any], inputs: Array, classes: int) -> Array:
    total = np.zeros((len(inputs), classes))
    for teacher in teachers:
        total[:, np.asarray(teacher.classes_, int)] += teacher.predict_proba(inputs)
    return total / len(teachers)


def _swapped(
    numbers: Array, codes: Array, rows: Array, coding: TableCoding, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Rows with up to LARGEST_SWAP of their cells from others; whether a cell is empty goes with its number."""
    columns = len(coding.numbers)
    place = np.array([*range(columns), *(i for i, one in enumerate(coding.numbers) if one.indicator)], np.int64)
    share = rng.uniform(0, LARGEST_SWAP, len(rows))[:, None]
    other = rng.integers(len(numbers), size=len(rows))
    swap = (rng.random((len(rows), columns)) < share)[:, place]
    swap_words = rng.random((len(rows), codes.shape[1])) < share
    return np.where(swap, numbers[other], numbers[rows]), np.where(swap_words, codes[other], codes[rows])
