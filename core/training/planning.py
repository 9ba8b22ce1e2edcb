"""Choosing the plan from a checked data set: grid, patch and structures; and what cannot work, before it is tried."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.data.dataset import Dataset
from core.data.plan import IGNORED, Label, Plan
from core.data.prepare import resampled_shape
from core.data.split import Split
from core.errors import ConfigError, DatasetError

MAX_PATCH = 96


def make_plan(experiment: Any, dataset: Dataset) -> Plan:
    """The plan of a run. Raises ConfigError where the experiment asks for what the data cannot give."""
    facts = list(dataset.facts.values())
    spacing = experiment.data.spacing_mm or tuple(
        float(round(s, 4)) for s in np.median([fact.spacing_mm for fact in facts], axis=0)
    )
    shapes = np.array([resampled_shape(fact.shape, fact.spacing_mm, spacing) for fact in facts])
    divisor = experiment.model.divisor
    if experiment.data.patch_size is not None:
        patch = experiment.data.patch_size
        _check_patch(patch, divisor, tuple(shapes.max(axis=0).tolist()))
    else:
        median = np.median(shapes, axis=0)
        patch = tuple(int(min(np.ceil(n / divisor) * divisor, max(MAX_PATCH // divisor, 1) * divisor)) for n in median)
        if _single_voxel(patch, divisor):
            longest = int(np.argmax(median))
            patch = tuple(2 * p if axis == longest else p for axis, p in enumerate(patch))
    plan = Plan(
        spacing_mm=spacing,
        patch_size=patch,
        labels=_labels(experiment, dataset),
        modality=dataset.modality,
        shape_range=(tuple(shapes.min(axis=0).tolist()), tuple(shapes.max(axis=0).tolist())),
        ignore_label=experiment.task.ignore_label,
    )
    weights = experiment.task.class_weights
    if weights is not None and len(weights) != plan.classes:
        raise ConfigError(f"task.class_weights has {len(weights)} values for {plan.classes} classes (background first)")
    return plan


def _check_patch(patch: tuple[int, ...], divisor: int, largest: tuple[int, ...]) -> None:
    text = " x ".join(map(str, patch))
    if any(p < divisor or p % divisor for p in patch):
        raise ConfigError(
            f"data.patch_size {text} does not fit the network, whose sides are multiples of {divisor}",
            mend="Change the patch, or give the network fewer resolutions.",
        )
    if _single_voxel(patch, divisor):
        raise ConfigError(
            f"data.patch_size {text} leaves the network a single voxel at its coarsest resolution",
            mend="Enlarge the patch, or give the network fewer resolutions.",
        )
    most = [-(-n // divisor) * divisor for n in largest]
    if any(p > m for p, m in zip(patch, most, strict=True)):
        raise ConfigError(
            f"data.patch_size {text} is larger than every case; the largest sides are {' x '.join(map(str, largest))}",
            mend=f"Choose at most {' x '.join(map(str, most))}, or leave it empty.",
        )


def _single_voxel(patch: tuple[int, ...], divisor: int) -> bool:
    """A normalisation over one voxel would leave nothing of it."""
    return divisor > 1 and all(p == divisor for p in patch)


def _labels(experiment: Any, dataset: Dataset) -> list[Label]:
    """The structures to learn: those that some case has, without the ignored one."""
    names = experiment.data.label_names or {}
    there = {value for fact in dataset.facts.values() for value in fact.voxels}
    all_labels = [Label(value=label.value, name=names.get(label.value, label.name)) for label in dataset.labels]
    listed = ", ".join(f"{label.value} ({label.name})" for label in all_labels)
    labels = [label for label in all_labels if label.value in there]
    wanted, ignored = experiment.task.target_label, experiment.task.ignore_label
    for key, value in (("target_label", wanted), ("ignore_label", ignored)):
        if value is not None and value not in there:
            raise ConfigError(f"task.{key} is {value}, but the data set has {listed}")
    labels = [label for label in labels if label.value != ignored and wanted in (None, label.value)]
    if not labels:
        raise ConfigError(f"nothing is left to learn, since task.ignore_label is {ignored}")
    if len(labels) >= IGNORED:
        raise ConfigError(
            f"{len(labels)} structures are more than the {IGNORED - 1} that one network can learn",
            mend="Choose one with task.target_label, or join some labels.",
        )
    return labels


def check_split(dataset: Dataset, split: Split, plan: Plan) -> None:
    """Raise DatasetError where a structure is in no case of a part: it could not be learned, or not be measured."""
    said = {"train": "training", "val": "validation", "test": "test"}
    for part, ids in split.as_dict().items():
        for label in plan.labels:
            if ids and not any(label.value in dataset.facts[id].voxels for id in ids):
                cases = "case has" if len(ids) == 1 else f"{len(ids)} cases have"
                raise DatasetError(
                    f"the {said[part]} part's {cases} no {label.name} (label {label.value})",
                    where=dataset.path,
                    mend="Draw another split with seed, or change data.val_fraction and data.test_fraction.",
                )


def class_shares(dataset: Dataset, ids: list[str], plan: Plan) -> list[float]:
    """Each class's part of the voxels of some cases, background first, without the ignored ones; none is 0."""
    facts = [dataset.facts[id] for id in ids]
    counts = [sum(fact.voxels.get(label.value, 0) for fact in facts) for label in plan.labels]
    total = sum(int(np.prod(fact.shape)) - fact.voxels.get(plan.ignore_label or -1, 0) for fact in facts)
    counts = [total - sum(counts), *counts]
    return [max(count, 1) / max(total, 1) for count in counts]
