"""Regions: structures that may lie in one another, such as a tumour and its core, each answered by itself.

Label files hold exclusive values; a region is a set of them. A predicted map holds one value for each region, written
in their order, so that a later region covers an earlier one (as in nnU-Net, Isensee 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.data.plan import Label, Plan

Array = np.ndarray[Any, Any]


def regions(covered: Mapping[str, Sequence[int]], written: Sequence[int] | None = None) -> list[Label]:
    """The regions by name, with the label values that belong to them, in the order in which they are written.

    written: the value that each has in a predicted map; without it, its lowest one that no later region covers.
    Raises ValueError where a region is empty, or has no value to be written with.
    """
    labels = []
    names = list(covered)
    if written is not None and len(written) != len(names):
        raise ValueError(f"{len(written)} values are listed for {len(names)} regions")
    for place, name in enumerate(names):
        values = sorted(set(covered[name]))
        if not values:
            raise ValueError(f"the region {name} is empty: give it the label values that belong to it")
        if min(values) < 1:
            raise ValueError(f"the region {name} has the value {min(values)}; label values begin at 1, 0 is background")
        later = {value for other in names[place + 1 :] for value in covered[other]}
        own = [value for value in values if value not in later]
        if written is not None:
            own = [written[place]]
            if written[place] not in values:
                raise ValueError(f"the region {name} is to be written as {written[place]}, which is not one of its own")
        if not own:
            raise ValueError(f"the region {name} lies wholly in those after it: list the larger regions first")
        labels.append(Label(value=own[0], name=name, covers=values))
    if len({label.value for label in labels}) < len(labels):
        raise ValueError("two regions are to be written with the same value")
    return labels


def described(description: Mapping[str, Any]) -> list[Label]:
    """The regions of a dataset.json in nnU-Net's form; none where its labels are single values."""
    listed = description.get("labels")
    if not isinstance(listed, dict) or not any(isinstance(values, list) for values in listed.values()):
        return []
    covered = {
        str(name)[:120]: [int(value) for value in (values if isinstance(values, list) else [values])]
        for name, values in listed.items()
        if name != "ignore" and values not in (0, [0])
    }
    order = description.get("regions_class_order")
    return regions(covered, [int(value) for value in order] if isinstance(order, list) else None)


def inside(plan: Plan) -> Array:
    """Which regions hold a voxel of a class: (256, regions) bool by the indices of class maps, IGNORED in none."""
    table = np.zeros((256, len(plan.labels)), bool)
    for index, value in enumerate(plan.values, start=1):
        table[index] = [value in label.values for label in plan.labels]
    return table


def written(answers: Array) -> Array:
    """Of yes-or-no answers (regions, x, y, z): the place, from 1, of the last region that each voxel is in, else 0."""
    places = np.zeros(answers.shape[1:], np.uint8)
    for place, yes in enumerate(answers, start=1):
        places[yes] = place
    return places


def read_back(places: Array, plan: Plan) -> Array:
    """What a predicted map says of each region: `written` places (x, y, z) -> (regions, x, y, z) bool."""
    table = np.zeros((len(plan.labels) + 1, len(plan.labels)), bool)
    for place, label in enumerate(plan.labels, start=1):
        table[place] = [label.value in region.values for region in plan.labels]
    return np.moveaxis(table[places], -1, 0)
