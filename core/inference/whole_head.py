"""A model of a small region used on a whole head in template space: each region is cut out by its coordinates.

The model's training crops show one side; for the other the crop is mirrored before and after. Structures of the
second region get label values above those of the first: 1 anterior left, 2 posterior left, 3 anterior right, ...
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.plan import Label
from core.data.prepare import prepare_array
from core.errors import UnsuitableScan
from core.imaging.geometry import Reorientation, ras_mm_to_index, to_canonical
from core.imaging.volume import Volume
from core.inference import template
from core.inference.checks import extent_mm
from core.inference.package import ModelPackage, Region
from core.inference.runtime import Runtime

Array = np.ndarray[Any, Any]

WHOLE_HEAD_MM = 120.0
_AS_IT_IS = Reorientation((0, 1, 2), (False, False, False))


def side_labels(package: ModelPackage) -> list[list[Label]]:
    """For each region the labels it gets, in the order of the plan's."""
    assert package.manifest.whole_head is not None  # noqa: S101 - callers ask only then
    step = max(label.value for label in package.plan.labels)
    return [
        [Label(value=label.value + step * n, name=f"{label.name}, {region.side}") for label in package.plan.labels]
        for n, region in enumerate(package.manifest.whole_head.regions)
    ]


def segment_whole_head(
    volume: Volume, package: ModelPackage, runtime: Runtime, mirror: bool | None, control: JobControl
) -> tuple[Array, Array, list[Label]]:
    """Label values, certainty on the scan's own grid, and the labels of both sides.

    Raises UnsuitableScan for a scan that is no whole head in template space.
    """
    from core.inference.predictor import classify

    assert package.manifest.whole_head is not None  # noqa: S101
    regions = package.manifest.whole_head.regions
    control.progress(0.0, "Comparing the head with the template")
    turn = to_canonical(volume.affine_ras)
    affine = turn.affine(volume.affine_ras, volume.grid_shape)
    head = replace(volume, voxels=turn.apply(volume.voxels), affine_ras=affine)
    boxes = [_box(region, head) for region in regions]
    refuse_other_space(volume, boxes)
    values = np.zeros(head.grid_shape, np.uint16)
    certainty = np.zeros(head.grid_shape, np.float32)
    labels = side_labels(package)
    for n, (region, box) in enumerate(zip(regions, boxes, strict=True)):
        part = control.part(0.1 + 0.9 * n / len(regions), 0.1 + 0.9 * (n + 1) / len(regions))
        crop = replace(head, voxels=head.voxels[box]).values()
        flip = slice(None, None, -1 if region.mirror else None)
        prepared = prepare_array(np.ascontiguousarray(crop[flip]), affine, package.plan, _AS_IT_IS)
        classes, sure = classify(prepared, package, runtime, mirror, part)
        found = np.array([0, *(label.value for label in labels[n])], np.uint16)[classes[flip]]
        better = sure[flip] > certainty[box]
        values[box] = np.where(better, found, values[box])
        certainty[box] = np.where(better, sure[flip], certainty[box])
    named = [label for side in labels for label in side]
    kind = np.uint8 if max(label.value for label in named) < 256 else np.uint16
    return np.ascontiguousarray(turn.invert(values.astype(kind))), np.ascontiguousarray(turn.invert(certainty)), named


def refuse_other_space(volume: Volume, boxes: list[tuple[slice, ...]]) -> None:
    """Raise UnsuitableScan unless the scan is a whole head in template space that holds every box."""
    where = volume.source.path
    if min(extent_mm(volume)) <= WHOLE_HEAD_MM:
        raise UnsuitableScan(
            "the scan is larger than the crops that the model was trained on, but not a whole head", where=where,
            mend="Crop it around the structure.",
        )  # fmt: skip
    cut_off = any(s.stop - s.start < 1 for box in boxes for s in box)
    if cut_off or not template.match(volume).in_template_space:
        raise UnsuitableScan(
            "this is a whole head that is not in template space; registration to the template is needed", where=where,
            mend="Crop around the structure that the model was trained on, or bring the head to MNI space first.",
        )  # fmt: skip


def _box(region: Region, head: Volume) -> tuple[slice, ...]:
    """The region's box as slices of the canonical grid; empty where the scan does not hold all of it."""
    corners = ras_mm_to_index(head.affine_ras, np.array(list(product(*region.box_ras_mm))))
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    if (low < 0).any() or (high > head.grid_shape).any():
        return (slice(0, 0),) * 3
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
