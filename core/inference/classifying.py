"""What a network says of a prepared scan: the classes' probabilities, and the class that is chosen at each voxel."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.control import JobControl
from core.data.prepare import Prepared, restore_labels, restore_probabilities
from core.imaging.volume import Finding, Volume
from core.inference.likeness import unlike
from core.inference.mirroring import Mirror
from core.inference.package import ModelPackage
from core.inference.runtime import Runtime
from core.inference.sliding import probabilities

Array = np.ndarray[Any, Any]


def unlike_training(prepared: Prepared, volume: Volume, package: ModelPackage) -> list[Finding]:
    """How the network's input differs from those it was trained on, where the package knows what they looked like."""
    look = package.manifest.likeness
    return [] if look is None else unlike(prepared.image[0], look, volume, package.manifest.mirror_axes)


def segment_region(
    prepared: Prepared, package: ModelPackage, runtime: Runtime, mirror: Mirror, control: JobControl, **how: Any
) -> tuple[Array, Array]:
    """Label values and certainty on the own grid of a scan like the training scans; `how` as `probabilities`."""
    classes, certainty = classify(prepared, package, runtime, mirror, control, **how)
    labels = restore_labels(classes, prepared, package.plan)
    return labels, np.ascontiguousarray(prepared.reorientation.invert(certainty))


def class_probabilities(
    prepared: Prepared, package: ModelPackage, runtime: Runtime, mirror: Mirror, control: JobControl, **how: Any
) -> Array:
    """(classes, x, y, z) on the network's grid; `how` as `probabilities`."""
    return probabilities(
        runtime, prepared.image, patch=package.plan.patch_size, divisor=getattr(package.network, "divisor", 1),
        mirror_axes=package.manifest.mirror_axes, mirror=mirror, overlapping=package.plan.overlapping, control=control,
        **how,
    )  # fmt: skip


def classify(
    prepared: Prepared, package: ModelPackage, runtime: Runtime, mirror: Mirror, control: JobControl, **how: Any
) -> tuple[Array, Array]:
    """The chosen class and its probability, (x, y, z) each, on the scan's canonical grid.

    The most probable class; of regions the last in their order that is likelier than not, or 0 for none of them.
    """
    plan = package.plan
    found = class_probabilities(prepared, package, runtime, mirror, control, **how)
    # One class at a time: all of them at once on a fine grid would need memory many times the scan's.
    if plan.overlapping:
        certainty = np.ones(prepared.canonical_shape, np.float32)
    else:
        certainty, found = restore_probabilities(found[:1], prepared)[0], found[1:]
    classes = np.zeros(certainty.shape, np.uint16)
    for index, answer in enumerate(found, start=1):
        control.check()
        one = restore_probabilities(answer[None], prepared)[0]
        if plan.overlapping:
            none = (classes == 0) & (one <= 0.5)
            certainty[none] = np.minimum(certainty, 1 - one)[none]
        better = one > (0.5 if plan.overlapping else certainty)
        classes[better] = index
        certainty = np.where(better, one, certainty)
    return classes, certainty
