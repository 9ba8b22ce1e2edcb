"""A model of a small region used on a whole head: each region is found by its place in the template.

A head in template space is cut along its own axes (`in_place`). Any other is registered to the template first, and the
regions are looked up through that (`core.inference.registered_head`).

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
from core.errors import RegistrationFailed, UnsuitableScan
from core.imaging.geometry import ras_mm_to_index, to_canonical
from core.imaging.volume import Finding, Volume
from core.inference import template
from core.inference.checks import extent_mm
from core.inference.classifying import classify
from core.inference.head_regions import AS_IT_IS, Box, lay, side_labels, unlike_side
from core.inference.manifest import Region
from core.inference.mirroring import Mirror
from core.inference.package import ModelPackage
from core.inference.runtime import Runtime

Array = np.ndarray[Any, Any]

WHOLE_HEAD_MM = 120.0
CROPS = Finding(
    "trained_on_crops", "warning",
    "The model was trained on crops around one side, and here it read a whole head. Look before you trust it.",
)  # fmt: skip


def segment_whole_head(
    volume: Volume, package: ModelPackage, runtime: Runtime, mirror: Mirror, control: JobControl
) -> tuple[Array, Array, list[Label], list[Finding]]:
    """Label values and certainty on the scan's own grid, the labels of both sides, and what to know about them.

    Raises UnsuitableScan for a scan that is no whole head, or one that cannot be registered to the template.
    """
    assert package.manifest.whole_head is not None  # noqa: S101
    regions = package.manifest.whole_head.regions
    if min(extent_mm(volume)) <= WHOLE_HEAD_MM:
        raise UnsuitableScan(
            "the scan is larger than the crops that the model was trained on, but not a whole head",
            where=volume.source.path, mend="Crop it around the structure.",
        )  # fmt: skip
    control.progress(0.0, "Comparing the head with the template")
    turn = to_canonical(volume.affine_ras)
    affine = turn.affine(volume.affine_ras, volume.grid_shape)
    head = replace(volume, voxels=turn.apply(volume.voxels), affine_ras=affine)
    boxes = [_box(region, head) for region in regions]
    match = template.match(volume)
    if match.surely_in_template_space and all(box is not None for box in boxes):
        *found, unlike = _in_place(head, regions, boxes, package, runtime, mirror, control.part(0.1, 1.0))
        findings = [CROPS]
    else:
        from core.inference.registered_head import predict_registered, register_head

        try:
            registration = register_head(head, control.part(0.05, 0.6))
        except RegistrationFailed as error:
            raise UnsuitableScan(
                f"this is not a head in template space, and it could not be registered to the template: {error.what}",
                where=volume.source.path, mend=f"{error.mend or ''} Or crop it around the structure.".strip(),
            ) from error  # fmt: skip
        *found, unlike = predict_registered(head, registration, package, runtime, mirror, control.part(0.6, 1.0))
        findings = [
            Finding(
                "registered_first", "warning",
                f"The head was registered to the template first (similarity {registration.quality.similarity:.2f}). "
                "Look before you trust it.",
            ),
            CROPS,
        ]  # fmt: skip
        findings += [one for one in registration.findings if one.severity != "info"]
    values, certainty = found
    findings += _merged(unlike)
    named = [label for side in side_labels(package) for label in side]
    kind = np.uint8 if max(label.value for label in named) < 256 else np.uint16
    labels = np.ascontiguousarray(turn.invert(values.astype(kind)))
    return labels, np.ascontiguousarray(turn.invert(certainty)), named, findings


def _in_place(
    head: Volume, regions: list[Region], boxes: list[Box | None], package: ModelPackage, runtime: Runtime,
    mirror: Mirror, control: JobControl,
) -> tuple[Array, Array, list[Finding]]:  # fmt: skip
    """Label values and certainty on the grid of a canonical head in template space, and what is unlike the training."""
    values = np.zeros(head.grid_shape, np.uint16)
    certainty = np.zeros(head.grid_shape, np.float32)
    labels, findings = side_labels(package), []
    for n, (region, box) in enumerate(zip(regions, boxes, strict=True)):
        assert box is not None  # noqa: S101 - the caller has looked
        crop = replace(head, voxels=head.voxels[box]).values()
        flip = slice(None, None, -1 if region.mirror else None)
        prepared = prepare_array(np.ascontiguousarray(crop[flip]), head.affine_ras, package.plan, AS_IT_IS)
        findings += unlike_side(prepared, head, package, region)
        part = control.part(n / len(regions), (n + 1) / len(regions))
        classes, sure = classify(prepared, package, runtime, mirror, part)
        lay(values, certainty, box, classes[flip], sure[flip], labels[n])
    return values, certainty, findings


def _merged(findings: list[Finding]) -> list[Finding]:
    """What was found on several sides is told once."""
    by_code: dict[str, Finding] = {}
    for one in findings:
        text = one.message.partition(": ")[2]
        by_code[one.code] = replace(one, message=f"Both sides: {text}") if one.code in by_code else one
    return list(by_code.values())


def _box(region: Region, head: Volume) -> Box | None:
    """The region's box as slices of the canonical grid; None where the scan does not hold all of it."""
    corners = ras_mm_to_index(head.affine_ras, np.array(list(product(*region.box_ras_mm))))
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    if (low < 0).any() or (high > head.grid_shape).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
