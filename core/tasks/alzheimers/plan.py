"""What is fixed of a run before it is trained, and kept with its model: grid, clinical values, who was trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from core.data.cohort.settings import CohortColumns, CohortDataConfig, TargetScale
from core.data.cohort.split import identities
from core.data.cohort.subject import Cohort, Feature, Grid, Subject
from core.kept import kept_lists, kept_part
from core.registry import Part

Array = np.ndarray[Any, Any]

PLAN, SPLIT = "plan.yaml", "split.json"
FARTHEST = 5.0  # standard deviations: a value beyond is taken as this one, so that none rules a score
# The inner ones only: the outermost would be the scores of single persons.
PERCENTS = tuple(range(5, 100, 5))
Modality = Literal["mri", "pet", "clinical"]
MODALITIES: tuple[Modality, ...] = ("mri", "pet", "clinical")


class Value(Part):
    """One clinical value: how it is written, and the mean and standard deviation of the training subjects'."""

    name: str = Field(max_length=500)
    unit: str = Field("", max_length=100)
    low: float | None = None
    high: float | None = None
    group: str = Field("", max_length=200)
    words: list[str] = Field([], max_length=1000)
    mean: float = 0.0
    scale: float = Field(1.0, gt=0)

    @property
    def feature(self) -> Feature:
        nan = float("nan")
        low, high = (nan if limit is None else limit for limit in (self.low, self.high))
        return Feature(self.name, self.unit, low, high, self.group, tuple(self.words))


class RiskPlan(Part):
    """score_quantiles: at PERCENTS of the training subjects' true scores; empty where they are not known.

    cohort_sha256: of the table's content, to know it again. trained_on: hashes of the persons and images.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    values: list[Value] = Field([], max_length=5000)
    target: str = Field("", max_length=500)
    target_scale: TargetScale = "risk"
    columns: CohortColumns = Field(default_factory=CohortColumns)
    missing_codes: list[float] = Field([], max_length=100)
    threshold: float = Field(0.5, gt=0, lt=1)
    mean_score: float = Field(0.5, ge=0, le=1)
    score_quantiles: list[float] = Field([], max_length=len(PERCENTS))
    simulated: bool = False
    cohort_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    trained_on: dict[Literal["subjects", "contents"], list[str]] = Field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, self.spacing_mm)

    @property
    def features(self) -> list[Feature]:
        return [value.feature for value in self.values]

    def reading(self, *, own_columns: bool = True) -> CohortDataConfig:
        """How a table is read for the model: as its own was, or with the columns of the usual names."""
        return CohortDataConfig(
            columns=self.columns if own_columns else CohortColumns(), target_scale=self.target_scale,
            features=[value.name for value in self.values], missing_codes=self.missing_codes,
        )  # fmt: skip

    def standardised(self, clinical: Array) -> Array:
        """(rows, values) in the file's units -> float32 in standard deviations from the training mean, NaN: missing."""
        if not self.values:
            return np.zeros((len(clinical), 0), np.float32)
        mean = np.array([value.mean for value in self.values])
        scale = np.array([value.scale for value in self.values])
        return np.clip((clinical - mean) / scale, -FARTHEST, FARTHEST).astype(np.float32)

    def arranged(self, cohort: Cohort, rows: Iterable[int]) -> Array:
        """The plan's values (rows, values) of a cohort whose columns stand in any order; NaN for one it lacks.

        Words are matched with the plan's: another table may number them in another order.
        """
        place = {feature.name: i for i, feature in enumerate(cohort.features)}
        columns = [place.get(value.name, -1) for value in self.values]
        table = np.stack([cohort.subjects[row].clinical for row in rows]) if len(cohort) else np.empty((0, 0))
        padded = np.column_stack([table, np.full(len(table), np.nan)])
        found = np.asarray(padded[:, columns], np.float32).reshape(len(table), len(columns))
        for column, value in enumerate(self.values):
            if columns[column] >= 0 and (words := cohort.features[columns[column]].words) and value.words:
                found[:, column] = _renumbered(found[:, column], words, value.words)
        return found

    def percent_below(self, score: float) -> float | None:
        """Percent of the training subjects that have a lower score: 5 to 95, beyond that 0 or 100; None: not known."""
        if len(self.score_quantiles) != len(PERCENTS):
            return None
        return float(np.interp(score, self.score_quantiles, PERCENTS, left=0, right=100))

    def known(self, subjects: Sequence[Subject]) -> list[bool]:
        """Which of the subjects were trained on: by their images, and in a study whose images are known by name too.

        Names alone prove nothing: every study has a sub-0001.
        """
        images, people = (set(self.trained_on.get(kind, ())) for kind in ("contents", "subjects"))
        seen = [any(hashed(content) in images for content in subject.contents.values()) for subject in subjects]
        same_study = any(seen) or not any(subject.contents for subject in subjects)
        return [
            by_image or (same_study and hashed(subject.id) in people)
            for by_image, subject in zip(seen, subjects, strict=True)
        ]


def _renumbered(places: Array, words: Sequence[str], known: Sequence[str]) -> Array:
    """Places among `words` as those of the same words among the `known` ones; NaN for one that is not known.

    >>> _renumbered(np.array([0.0, 1.0, np.nan], np.float32), ("m", "f"), ("F", "M"))
    array([ 1.,  0., nan], dtype=float32)
    """
    small = [word.lower() for word in known]
    table = [float(small.index(word.lower())) if word.lower() in small else np.nan for word in words]
    found = np.full(len(places), np.nan, np.float32)
    there = np.isfinite(places)
    found[there] = np.array(table, np.float32)[places[there].astype(int)]
    return found


def plan_of(cohort: Cohort, train: Array, experiment: Any) -> RiskPlan:
    """The plan of an experiment on a cohort; means and deviations are those of the `train` rows alone."""
    known = cohort.clinical[train].astype(np.float64)
    values = []
    for column, feature in enumerate(cohort.features):
        there = known[:, column][np.isfinite(known[:, column])]
        mean = float(there.mean()) if len(there) else 0.0
        scale = float(there.std()) if len(there) > 1 else 0.0
        values.append(
            Value(
                name=feature.name, unit=feature.unit, group=feature.group, words=list(feature.words),
                low=_or_none(feature.low), high=_or_none(feature.high), mean=mean, scale=scale if scale > 1e-9 else 1.0,
            )
        )  # fmt: skip
    data = experiment.data
    people = {kind: sorted(map(hashed, words)) for kind, words in identities(cohort, train).items()}
    return RiskPlan(
        shape=data.shape, spacing_mm=data.spacing_mm, values=values, target=cohort.target_name,
        target_scale=data.target_scale, columns=data.columns, missing_codes=data.missing_codes,
        threshold=experiment.task.threshold,
        mean_score=float(np.clip(cohort.targets[train].mean(), 0, 1)),
        score_quantiles=[round(float(q), 4) for q in np.percentile(cohort.targets[train], PERCENTS)],
        simulated=cohort.simulated, cohort_sha256=fingerprint(cohort), trained_on=people,
    )  # fmt: skip


def fingerprint(cohort: Cohort) -> str:
    """The sha256 of who is in a cohort, with which images, values and scores."""
    found = hashlib.sha256(json.dumps([feature.name for feature in cohort.features]).encode())
    for subject in cohort.subjects:
        found.update(json.dumps([subject.id, subject.visit, subject.target, sorted(subject.contents.items())]).encode())
        found.update(subject.clinical.tobytes())
    return found.hexdigest()


def hashed(word: str) -> str:
    """A person's or image's name as it is kept with a model: to be known again, not to be read."""
    return hashlib.sha256(f"isocenter {word}".encode()).hexdigest()[:24]


def there(subject: Subject) -> frozenset[Modality]:
    """What of a subject is there."""
    known = {
        "mri": subject.mri is not None, "pet": subject.pet is not None,
        "clinical": bool(np.isfinite(subject.clinical).any()),
    }  # fmt: skip
    return frozenset(part for part in MODALITIES if known[part])


def named(parts: Collection[str]) -> str:
    """A set of modalities in words, always in the same order.

    >>> named({"clinical", "mri"})
    'mri+clinical'
    """
    return "+".join(part for part in MODALITIES if part in parts)


def load_plan(folder: Path) -> RiskPlan:
    """The plan of a run's folder."""
    return kept_part(folder / PLAN, RiskPlan)


def load_split(folder: Path) -> dict[str, Array]:
    """The row numbers of a run's parts: train, val, test."""
    split = kept_lists(folder / SPLIT)
    return {part: np.asarray(rows, np.int64) for part, rows in split.items()}


def _or_none(limit: float) -> float | None:
    return float(limit) if np.isfinite(limit) else None
