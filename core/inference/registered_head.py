"""The regions of a whole head that was registered to the template, predicted and brought back to the head's grid.

Each region's box is carried from the template into the scan. There a crop is resampled that stands upright as the
template does, but keeps the person's millimetres (only the turn of the affine matrix is taken, not its scale): so the
model sees structures of the size it was trained on. The probabilities are interpolated at the scan's own voxels.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage

from core.control import JobControl
from core.data.plan import Plan
from core.data.prepare import prepare_array
from core.errors import RegistrationFailed
from core.imaging.geometry import index_to_ras_mm, ras_mm_to_index
from core.imaging.registration.register import Registration, register
from core.imaging.volume import Finding, Volume
from core.inference.classifying import class_probabilities
from core.inference.head_regions import AS_IT_IS, Box, lay, side_labels, unlike_side
from core.inference.manifest import Region
from core.inference.mirroring import Mirror
from core.inference.package import ModelPackage
from core.inference.runtime import Runtime

Array = np.ndarray[Any, Any]

MIN_CORRELATION = 0.5  # signed: a scan of another contrast than T1 fits by its edges alone
MOST_OUTSIDE = 0.02  # of a crop; more would be made up


def register_head(head: Volume, control: JobControl) -> Registration:
    """The affine registration to the template, for a T1 model. Raises RegistrationFailed."""
    found = register(head, control=control)
    if found.quality.correlation < MIN_CORRELATION:
        raise RegistrationFailed(
            f"its contrast is unlike that of a T1-weighted scan (correlation {found.quality.correlation:.2f})",
            where=head.source.path, mend="Give a T1-weighted MR scan.",
        )  # fmt: skip
    return found


def predict_registered(
    head: Volume, registration: Registration, package: ModelPackage, runtime: Runtime, mirror: Mirror,
    control: JobControl,
) -> tuple[Array, Array, list[Finding]]:  # fmt: skip
    """Label values and certainty on the grid of a canonical head, and what is unlike the training scans.

    Raises RegistrationFailed where a box is cut off.
    """
    assert package.manifest.whole_head is not None  # noqa: S101 - callers ask only then
    regions = package.manifest.whole_head.regions
    template_to_scan = np.linalg.inv(registration.moving_to_fixed)
    head_values = head.values()
    values = np.zeros(head.grid_shape, np.uint16)
    certainty = np.zeros(head.grid_shape, np.float32)
    findings: list[Finding] = []
    for n, (region, labels) in enumerate(zip(regions, side_labels(package), strict=True)):
        part = control.part(n / len(regions), (n + 1) / len(regions))
        part.progress(0.0, f"Cutting out the {region.side} side")
        crop_affine, shape = upright_grid(region, template_to_scan, package.plan)
        crop = _cut(head_values, head, crop_affine, shape)
        flip = slice(None, None, -1 if region.mirror else None)
        prepared = prepare_array(
            np.ascontiguousarray(crop[flip]), np.diag([*package.plan.spacing_mm, 1.0]), package.plan, AS_IT_IS
        )
        findings += unlike_side(prepared, head, package, region)
        found = class_probabilities(prepared, package, runtime, mirror, part.part(0.1, 0.9))[:, flip]
        box, classes, sure = _at_voxels(found, crop_affine, head, part)
        lay(values, certainty, box, classes, sure, labels)
    return values, certainty, findings


def upright_grid(region: Region, template_to_scan: Array, plan: Plan) -> tuple[Array, tuple[int, ...]]:
    """Affine (index -> the scan's RAS mm) and shape of a crop that holds the region, at the plan's spacing."""
    left, _, right = np.linalg.svd(template_to_scan[:3, :3])
    turn = left @ right
    corners = index_to_ras_mm(template_to_scan, np.array(list(product(*region.box_ras_mm))))
    upright = corners @ turn  # each row turned back
    low, high = upright.min(axis=0), upright.max(axis=0)
    shape = tuple(int(n) + 1 for n in np.ceil((high - low) / plan.spacing_mm))
    affine = np.eye(4)
    affine[:3, :3] = turn * plan.spacing_mm
    affine[:3, 3] = turn @ low
    return affine, shape


def _cut(values: Array, head: Volume, crop_affine: Array, shape: tuple[int, ...]) -> Array:
    to_index = np.linalg.inv(head.affine_ras) @ crop_affine
    places = np.moveaxis(np.indices(shape), 0, -1) @ to_index[:3, :3].T + to_index[:3, 3]
    outside = ((places < -0.5) | (places > np.array(head.grid_shape) - 0.5)).any(axis=-1).mean()
    if outside > MOST_OUTSIDE:
        raise RegistrationFailed(
            "the structure lies at the edge of the scan or beyond it", where=head.source.path,
            mend="Give a scan that shows the whole brain.",
        )  # fmt: skip
    return ndimage.map_coordinates(values, np.moveaxis(places, -1, 0), order=1, mode="nearest")


def _at_voxels(probabilities: Array, crop_affine: Array, head: Volume, control: JobControl) -> tuple[Box, Array, Array]:
    """The box of the head's voxels that the crop reaches, and there the class and its probability; 0 beyond."""
    shape = probabilities.shape[1:]
    ends = np.array(list(product(*[(-0.5, n - 0.5) for n in shape])))
    reach = ras_mm_to_index(head.affine_ras, index_to_ras_mm(crop_affine, ends))
    low = np.maximum(np.floor(reach.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(reach.max(axis=0)).astype(int) + 1, head.grid_shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    to_crop = np.linalg.inv(crop_affine) @ head.affine_ras
    places = np.moveaxis(np.indices(tuple(high - low)), 0, -1) + low
    places = np.moveaxis(places @ to_crop[:3, :3].T + to_crop[:3, 3], -1, 0)
    limits = np.array(shape).reshape(3, 1, 1, 1)
    within = ((places >= -0.5) & (places <= limits - 0.5)).all(axis=0)
    classes = np.zeros(within.shape, np.uint16)
    sure = np.zeros(within.shape, np.float32)
    for index, one in enumerate(probabilities):
        control.check()
        here = ndimage.map_coordinates(one, places, order=1, mode="nearest")
        better = within & (here > sure)
        classes[better] = index
        sure[better] = here[better]
    return box, classes, sure
