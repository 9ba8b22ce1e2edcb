"""What simple methods reach on the same subjects: the network has to be better than these to be worth its while.

Ridge regression and gradient boosting, each from the clinical values, from regional means of the images, and from
both, fitted on the training subjects alone and measured on the very subjects that the network is measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.control import JobControl
from core.data.cohort.split import refuse_overlap
from core.data.cohort.subject import Cohort, Grid
from core.data.cohort.volumes import volumes
from core.errors import DatasetError
from core.metrics import classification, regression
from core.metrics.intervals import bootstrap, compare
from core.tasks.alzheimers.regions import regional

Array = np.ndarray[Any, Any]
Method = Literal["ridge", "gradient boosting"]
Sources = Literal["clinical", "images", "fused"]
METHODS: tuple[Method, ...] = ("ridge", "gradient boosting")
SOURCES: tuple[Sources, ...] = ("clinical", "images", "fused")

WORDS: Mapping[Sources, str] = {
    "clinical": "clinical values", "images": "regions of the images", "fused": "clinical values and regions"
}  # fmt: skip

FEWEST = 10  # subjects to fit on
COMPARED = 500  # resamples and swaps of a comparison
PENALTIES = np.logspace(-3, 3, 25)


@dataclass(frozen=True)
class Baseline:
    """One method on one source. metrics: mse, mae, r2, pearson, auroc; intervals: [low, high] of each, 95 %."""

    method: Method
    source: Sources
    columns: int
    metrics: dict[str, float]
    intervals: dict[str, list[float]]
    scores: tuple[float, ...]

    @property
    def title(self) -> str:
        return f"{self.method}, {WORDS[self.source]}"

    def as_dict(self) -> dict[str, Any]:
        """Without the scores, which stand with the cases where they are asked for."""
        plain = asdict(self)
        del plain["scores"]
        return {"title": self.title, **plain}


def baselines(
    cohort: Cohort, split: Mapping[str, Collection[int]], grid: Grid, cache_folder: Path, *, part: str = "test",
    threshold: float = 0.5, seed: int = 0, resamples: int = 1000, control: JobControl | None = None,
) -> list[Baseline]:  # fmt: skip
    """Every method on every source, fitted on split["train"] and measured on split[`part`], in ascending order of rows.

    Raises DatasetError where too few subjects are there to fit on, or the parts of the split share a subject.
    """
    control = control or JobControl()
    refuse_overlap(cohort, split)
    train, test = (np.array(sorted(split[name]), np.int64) for name in ("train", part))
    if len(train) < FEWEST or not len(test):
        raise DatasetError(
            f"{len(train)} subjects to fit on and {len(test)} to measure are too few for the simple methods",
            where=cohort.path, mend="Add subjects, or lower the shares of validation and test.",
        )  # fmt: skip
    rows = np.concatenate([train, test])
    images = _regional(cohort, rows, grid, cache_folder, control.part(0.0, 0.6))
    clinical = cohort.clinical[rows].astype(np.float64)
    tables = {"clinical": [clinical], "images": [images], "fused": [clinical, images]}
    truth = cohort.targets.astype(np.float64)
    people = np.array([cohort.subjects[row].id for row in test])
    figures = partial(_figures, threshold=threshold)
    found = []
    for number, (method, source) in enumerate((m, s) for m in METHODS for s in SOURCES):
        control.progress(0.6 + 0.4 * number / 6, f"Fitting {method} on {source} values")
        # A column without a training value tells nothing.
        blocks = [table[:, np.isfinite(table[: len(train)]).any(axis=0)] for table in tables[source]]
        widths = [block.shape[1] for block in blocks if block.shape[1]]
        if not widths:
            continue
        table = np.hstack(blocks)
        fitted = _fitted(method, table[: len(train)], truth[train], widths, seed)
        scores = np.clip(fitted(table[len(train) :]), 0, 1)
        spans = bootstrap(figures, scores, truth[test], groups=people, resamples=resamples, control=control)
        found.append(Baseline(method, source, sum(widths), figures(scores, truth[test]), spans, tuple(scores.tolist())))
    return found


def beside(
    scores: Array, cohort: Cohort, split: Mapping[str, Collection[int]], grid: Grid, cache_folder: Path, *, part: str,
    threshold: float, control: JobControl | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Every baseline as plain values, with "comparison": the network's figures less its own, on the same subjects.

    scores: (rows,) the network's, of split[`part`] in ascending order of rows. Raises as `baselines`.
    """
    control = control or JobControl()
    rows = sorted(split[part])
    truth = cohort.targets.astype(np.float64)[rows]
    people = np.array([cohort.subjects[row].id for row in rows])
    figures = partial(_figures, threshold=threshold)
    told = []
    for one in baselines(cohort, split, grid, cache_folder, part=part, threshold=threshold, control=control):
        pairs = compare(
            figures, np.array(one.scores), scores, truth, groups=people, resamples=COMPARED, control=control
        )
        told.append({**one.as_dict(), "comparison": {name: pair.as_dict() for name, pair in pairs.items()}})
    return told


def _regional(cohort: Cohort, rows: Array, grid: Grid, cache_folder: Path, control: JobControl) -> Array:
    found = []
    for number, row in enumerate(rows.tolist()):
        control.progress(number / len(rows), f"Regions of subject {number + 1} of {len(rows)}")
        pair = volumes(cohort.subjects[row], grid, control.silent(), cache_folder)
        found.append(regional([pair], grid)[0])
    return np.stack(found)


def _fitted(method: Method, table: Array, truth: Array, widths: Sequence[int], seed: int) -> Callable[[Array], Array]:
    """The method fitted on the training rows, with everything that it needs to know of them (means, deviations).

    widths: columns of each source; in ridge the sources weigh the same, however many columns one has.
    """
    if method == "ridge":
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        weigh = FunctionTransformer(partial(np.multiply, np.concatenate([np.full(n, n**-0.5) for n in widths])))
        ridge = make_pipeline(SimpleImputer(), StandardScaler(), weigh, RidgeCV(PENALTIES)).fit(table, truth)
        return lambda rows: np.asarray(ridge.predict(rows), np.float64)
    from xgboost import XGBRegressor

    # Few subjects and many columns: shallow trees, small steps, each from half of the rows and columns.
    boosted = XGBRegressor(
        n_estimators=300, max_depth=3, learning_rate=0.05, subsample=0.7, colsample_bytree=0.5, random_state=seed,
        n_jobs=1, verbosity=0,
    ).fit(table.astype(np.float32), truth)  # fmt: skip
    return lambda rows: np.asarray(boosted.predict(rows.astype(np.float32)), np.float64)


def _figures(scores: Array, truth: Array, threshold: float) -> dict[str, float]:
    found = {name: value for name, value in regression.figures(scores, truth).items() if name != "loss"}
    high = truth >= threshold
    if 0 < high.sum() < len(high):
        found["auroc"] = classification.auroc(scores, high)
    return found
