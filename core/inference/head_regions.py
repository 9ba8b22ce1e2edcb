"""The regions of a whole head, however they are found: their labels, what is said of them, and where they meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from core.data.plan import Label
from core.data.prepare import Prepared
from core.imaging.geometry import Reorientation
from core.imaging.volume import Finding, Volume
from core.inference.classifying import unlike_training
from core.inference.manifest import Region
from core.inference.package import ModelPackage

Array = np.ndarray[Any, Any]
Box = tuple[slice, ...]

AS_IT_IS = Reorientation((0, 1, 2), (False, False, False))  # of a crop, which stands as the training crops do


def side_labels(package: ModelPackage) -> list[list[Label]]:
    """For each region the labels it gets, in the order of the plan's."""
    assert package.manifest.whole_head is not None  # noqa: S101 - callers ask only then
    step = max(label.value for label in package.plan.labels)
    return [
        [Label(value=label.value + step * n, name=f"{label.name}, {region.side}") for label in package.plan.labels]
        for n, region in enumerate(package.manifest.whole_head.regions)
    ]


def unlike_side(prepared: Prepared, head: Volume, package: ModelPackage, region: Region) -> list[Finding]:
    """How a region that was cut out differs from the training scans, with its side said."""
    found = unlike_training(prepared, head, package)
    return [replace(one, message=f"{region.side.capitalize()} side: {one.message}") for one in found]


def lay(values: Array, certainty: Array, box: Box, classes: Array, sure: Array, labels: list[Label]) -> None:
    """Write one region's classes into the head's label values where they are surer than what is there."""
    found = np.array([0, *(label.value for label in labels)], np.uint16)[classes]
    better = sure > certainty[box]
    values[box] = np.where(better, found, values[box])
    certainty[box] = np.where(better, sure, certainty[box])
