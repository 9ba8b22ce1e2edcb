"""Choosing the plan from a checked data set: grid, patch and structures."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.data.dataset import Dataset
from core.data.plan import Label, Plan
from core.data.prepare import resampled_shape
from core.errors import ConfigError

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
        if any(p < divisor or p % divisor for p in patch):
            raise ConfigError(
                f"data.patch_size {patch} does not fit the network, whose sides are multiples of {divisor}",
                mend="Change the patch, or give model.channels fewer levels.",
            )
    else:
        median = np.median(shapes, axis=0)
        patch = tuple(int(min(np.ceil(n / divisor) * divisor, max(MAX_PATCH // divisor, 1) * divisor)) for n in median)
    return Plan(
        spacing_mm=spacing,
        patch_size=patch,
        labels=_labels(experiment, dataset),
        modality=dataset.modality,
        shape_range=(tuple(shapes.min(axis=0).tolist()), tuple(shapes.max(axis=0).tolist())),
    )


def _labels(experiment: Any, dataset: Dataset) -> list[Label]:
    names = experiment.data.label_names or {}
    labels = [Label(value=label.value, name=names.get(label.value, label.name)) for label in dataset.labels]
    wanted = experiment.task.target_label
    if wanted is None:
        return labels
    chosen = [label for label in labels if label.value == wanted]
    if not chosen:
        there = ", ".join(f"{label.value} ({label.name})" for label in labels)
        raise ConfigError(f"task.target_label is {wanted}, but the data set has {there}")
    return chosen
