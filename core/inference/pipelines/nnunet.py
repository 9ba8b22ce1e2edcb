"""nnU-Net v2's way from a scan to labels (Isensee 2021), step by step as nnU-Net takes it.

Cut to what is not zero; normalise; resample with cubic splines, thick slices apart; windows that overlap by half,
their raw answers blended with a Gaussian; resample those linearly; the most likely class; put back.

Axes are i, j, k of the image, where nnU-Net counts k, j, i and may transpose them: what it transposes was put into
the order i, j, k when the model was imported.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from core.control import JobControl
from core.data.prepare import Prepared, restore_labels
from core.errors import UnsuitableScan
from core.imaging.geometry import Reorientation, to_canonical
from core.imaging.volume import Finding, Volume
from core.inference.mirroring import Mirror, ways
from core.inference.region_first import SEEN, Windows
from core.inference.sliding import GAUSSIAN_SIGMA
from core.inference.windows import blended, padded
from core.registry import Part, register

if TYPE_CHECKING:
    from core.inference.package import ModelPackage
    from core.inference.runtime import Runtime

Array = np.ndarray[Any, Any]
Spacing = tuple[float, float, float]
ANISOTROPIC = 3.0  # a voxel this many times longer than wide is resampled slice by slice
STEP = 0.5  # of a window
ORIENTATIONS = "^(|{})$".format(
    "|".join("".join(f"[{pair}]" for pair in axes) for axes in permutations(("LR", "AP", "SI")))
)


class Normalisation(Part):
    """One of nnU-Net's schemes; the figures are those of the training set's foreground, for CT."""

    scheme: Literal["zscore", "ct", "none", "rescale", "rgb"]
    masked: bool = False
    mean: float = 0.0
    sd: float = 1.0
    low: float = 0.0
    high: float = 0.0

    def apply(self, image: Array, mask: Array) -> Array:
        """float32 in and out. mask: what is not zero, its holes filled."""
        if self.scheme == "zscore" and self.masked:
            inside = image[mask]
            result = image.copy()
            result[mask] = (inside - inside.mean()) / max(float(inside.std()), 1e-8)
            return result
        if self.scheme == "zscore":
            return (image - image.mean()) / np.float32(max(float(image.std()), 1e-8))
        if self.scheme == "ct":
            clipped = np.clip(image, np.float32(self.low), np.float32(self.high))
            return (clipped - np.float32(self.mean)) / np.float32(max(self.sd, 1e-8))
        if self.scheme == "rescale":
            from_zero = image - image.min()
            return from_zero / max(float(from_zero.max()), 1e-8)
        return image / np.float32(255) if self.scheme == "rgb" else image


class Resampling(Part):
    """Spline orders within slices and across thick ones. apart: whether those are apart; None: where they are thick."""

    order: int = Field(3, ge=0, le=5)
    across: int = Field(0, ge=0, le=5)
    apart: bool | None = None


@register("pipeline")
class NnunetPipeline(Part):
    """What of an nnU-Net plan a prediction needs. The target spacing and the patch are the package's plan's.

    orientation: the axis codes that the training images had, "" where that is unknown: scans are then taken as stored.
    keep_axis: the axis across slices of a 2D model, along which nothing is resampled.
    """

    name: Literal["nnunet"] = "nnunet"
    normalisation: Normalisation
    further: list[Normalisation] = Field([], max_length=15)  # of the second channel, and so on
    orientation: str = Field("", pattern=ORIENTATIONS)
    keep_axis: int | None = Field(None, ge=0, le=2)
    image: Resampling = Resampling()
    answer: Resampling = Resampling(order=1)

    any_voxels: ClassVar[bool] = False

    def findings(self, volume: Volume, found: list[Finding]) -> list[Finding]:
        """What a person should know before trusting the answer, given what every model of that plan would tell."""
        if self.orientation:
            return found
        text = (
            f"nnU-Net takes scans as they are stored; this one is {volume.orientation}. The answer is only right if the"
            " training scans were stored so too."
        )
        return [*found, Finding("orientation_unchecked", "info", text)]

    def segment(
        self, volume: Volume, package: ModelPackage, runtime: Runtime, mirror: Mirror, control: JobControl, *,
        region_first: bool = False, windows: Windows | None = None,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Label values and the probability of the chosen class, on the scan's own grid."""
        control.progress(0.0, "Preparing the scan")
        plan = package.plan
        turn = _towards(volume, self.orientation)
        channels = [np.nan_to_num(turn.apply(volume.values(n)), posinf=0.0, neginf=0.0) for n in range(plan.channels)]
        spacing = _turned(volume.spacing_mm, turn)
        mask, box = nonzero(np.logical_or.reduce([values != 0 for values in channels]))
        whole, cut = mask.shape, mask[box].shape
        target = self._target(spacing, plan.spacing_mm)
        shape = new_shape(cut, spacing, target)
        images = []
        for values, scheme in zip(channels, (self.normalisation, *self.further), strict=True):
            if scheme.scheme == "rgb" and (values.min() < 0 or values.max() > 255):
                raise UnsuitableScan("the model takes values of 0 to 255", where=volume.source.path)
            control.check()
            one = scheme.apply(np.ascontiguousarray(values[box]), mask[box]).astype(np.float32)
            images.append(resample(one, shape, spacing, target, self.image))
        image = np.stack(images)
        logits = self._answers(
            image, package, runtime, mirror, control.part(0.1, 0.8), region_first=region_first, windows=windows
        )
        control.progress(0.8, "Bringing the answer back")
        back = (self._resampled(logit, cut, target, spacing, control) for logit in logits)
        inside, likely = chosen(back, plan.overlapping)
        classes, certainty = np.zeros(whole, np.uint16), np.ones(whole, np.float32)
        classes[box], certainty[box] = inside, likely
        labels = restore_labels(classes, Prepared(image, volume.affine_ras, turn, whole), plan)
        return labels, np.ascontiguousarray(turn.invert(certainty))

    def _target(self, spacing: Spacing, wanted: Spacing) -> Spacing:
        i, j, k = (spacing[axis] if axis == self.keep_axis else wanted[axis] for axis in range(3))
        return i, j, k

    def _resampled(
        self, logit: Array, shape: tuple[int, ...], spacing: Spacing, wanted: Spacing, control: JobControl
    ) -> Array:
        control.check()
        return resample(logit, shape, spacing, wanted, self.answer)

    def _answers(
        self,
        image: Array,
        package: ModelPackage,
        runtime: Runtime,
        mirror: Mirror,
        control: JobControl,
        **how: Any,
    ) -> Array:
        size = package.plan.patch_size
        # Where it is cheap, as with models of our own.
        turned = ways(package.manifest.mirror_axes, mirror, small=image[0].size < 2 * math.prod(size))
        whole, inner = padded(image, size)
        places = [starts(n, side) for n, side in zip(whole.shape[1:], size, strict=True)]
        seen = _region_seen if package.plan.overlapping else _structure_seen
        found = blended(runtime, whole, size, places, gaussian(size), turned, control, seen=seen, **how)
        return found[(slice(None), *inner)]


def nonzero(values: Array) -> tuple[Array, tuple[slice, ...]]:
    """What is not zero, its holes filled, and the box around it."""
    from scipy import ndimage

    mask: Array = ndimage.binary_fill_holes(values != 0)
    box = ndimage.find_objects(mask.astype(np.uint8))
    return mask, box[0] if box else tuple(slice(0, n) for n in values.shape)


def new_shape(shape: tuple[int, ...], spacing: Spacing, target: Spacing) -> tuple[int, ...]:
    """The grid of the same extent at another spacing.

    >>> new_shape((10, 10, 5), (1.0, 1.0, 3.0), (1.0, 2.0, 1.0))
    (10, 5, 15)
    """
    return tuple(max(round(old / new * n), 1) for n, old, new in zip(shape, spacing, target, strict=True))


def apart_axis(spacing: Spacing, target: Spacing, apart: bool | None) -> int | None:
    """The axis across thick slices, if these are to be resampled apart.

    >>> apart_axis((1.0, 1.0, 5.0), (1.0, 1.0, 1.0), None), apart_axis((1.0, 1.0, 2.0), (1.0, 1.0, 1.0), None)
    (2, None)
    """
    if apart is False:
        return None
    for voxel in (spacing, target):
        if apart or max(voxel) / min(voxel) > ANISOTROPIC:
            longest = [axis for axis in range(3) if voxel[axis] == max(voxel)]
            return longest[0] if len(longest) == 1 else None
    return None


def resample(image: Array, shape: tuple[int, ...], spacing: Spacing, target: Spacing, how: Resampling) -> Array:
    """(x, y, z) to another shape over the same extent."""
    if image.shape == shape:
        return image
    axis = apart_axis(spacing, target, how.apart)
    if axis is None:
        return _zoomed(image, shape, how.order)
    slices = np.moveaxis(image, axis, 0)
    flat = tuple(n for a, n in enumerate(shape) if a != axis)
    done = np.stack([_zoomed(one, flat, how.order) for one in slices])
    if len(done) != shape[axis]:
        from scipy import ndimage

        place = len(done) / shape[axis] * (np.arange(shape[axis]) + 0.5) - 0.5
        if how.across == 0:
            done = done[np.clip(np.floor(place + 0.5).astype(int), 0, len(done) - 1)]
        else:
            grid = np.meshgrid(place, *(np.arange(n) for n in flat), indexing="ij")
            done = ndimage.map_coordinates(done, np.stack(grid), order=how.across, mode="nearest")
    return np.ascontiguousarray(np.moveaxis(done, 0, axis), np.float32)


def _zoomed(image: Array, shape: tuple[int, ...], order: int) -> Array:
    """By splines, in float64, never beyond the image's own range."""
    if image.shape == shape:
        return image
    from scipy import ndimage

    zoom = [new / old for new, old in zip(shape, image.shape, strict=True)]
    result = ndimage.zoom(image.astype(np.float64), zoom, order=order, mode="nearest", grid_mode=True)
    return np.clip(result, image.min(), image.max()).astype(np.float32)


def starts(length: int, window: int) -> list[int]:
    """Where windows begin along an axis that is at least a window long; a window of one slice goes over all of them.

    >>> starts(110, 64), starts(4, 1)
    ([0, 23, 46], [0, 1, 2, 3])
    """
    if window == 1:
        return list(range(length))
    last = length - window
    steps = int(np.ceil(last / (window * STEP)))
    return [int(np.round(last / steps * step)) for step in range(steps + 1)] if steps else [0]


def gaussian(size: tuple[int, ...]) -> Array:
    """The weights of a window's voxels, in the half precision that nnU-Net keeps them in."""
    from scipy import ndimage

    point = np.zeros(size)
    point[tuple(n // 2 for n in size)] = 1
    weights = ndimage.gaussian_filter(point, [n * GAUSSIAN_SIGMA for n in size], mode="constant")
    half = (10 * weights / weights.max()).astype(np.float16)
    half[half == 0] = half[half > 0].min()
    return half.astype(np.float32)


def _towards(volume: Volume, codes: str) -> Reorientation:
    """The turn that gives the axes these codes; none where they are unknown."""
    if not codes:
        return Reorientation((0, 1, 2), (False, False, False))
    ras = to_canonical(volume.affine_ras)
    patient = [next(axis for axis, pair in enumerate(("LR", "PA", "IS")) if code in pair) for code in codes]
    i, j, k = (ras.order[axis] for axis in patient)
    flip_i, flip_j, flip_k = (ras.flips[axis] != (code in "LPI") for axis, code in zip(patient, codes, strict=True))
    return Reorientation((i, j, k), (flip_i, flip_j, flip_k))


def _turned(spacing: Spacing, turn: Reorientation) -> Spacing:
    i, j, k = (spacing[axis] for axis in turn.order)
    return i, j, k


def chosen(logits: Any, overlapping: bool) -> tuple[Array, Array]:
    """The class of each voxel and its probability, from the raw answers of one output after the other.

    With exclusive classes, the largest answer counts. With `overlapping` regions, the last one that is likelier than
    not; output 0 is then the first region, so class 0 stands for none of them. `logits` gives (x, y, z) arrays.
    """
    classes: Array = np.zeros(0, np.uint16)
    best: Array = np.zeros(0, np.float32)
    rest: Array = np.zeros(0, np.float32)
    for index, logit in enumerate(logits):
        if index == 0:
            classes = np.zeros(logit.shape, np.uint16)
            best = np.zeros(logit.shape, np.float32) if overlapping else logit.astype(np.float32)
            rest = np.zeros(logit.shape, np.float32) if overlapping else np.ones(logit.shape, np.float32)
            if not overlapping:
                continue
        if overlapping:
            likely = 1 / (1 + np.exp(-np.clip(logit, -80, 80), dtype=np.float32))
            taken = likely > 0.5
            classes[taken] = index + 1
            best[taken] = likely[taken]
            rest = np.maximum(rest, likely)
        else:
            larger = np.maximum(best, logit).astype(np.float32)
            rest = rest * np.exp(best - larger) + np.exp(logit - larger)  # the sum of a softmax that grows
            classes[logit > best] = index
            best = larger
    if overlapping:
        return classes, np.where(classes == 0, 1 - rest, best)
    return classes, 1 / rest


def _region_seen(total: Array, weight: Array) -> Array:
    """Where any region is more than hardly likely, from the weighted sums of raw answers."""
    return np.asarray(total.max(axis=0) > math.log(SEEN / (1 - SEEN)) * weight)


def _structure_seen(total: Array, weight: Array) -> Array:
    """As `_region_seen`, where structures exclude each other and output 0 is none of them."""
    odds = np.zeros(weight.shape, np.float32)
    for one in total[1:]:
        odds += np.exp(np.minimum((one - total[0]) / weight, 80))
    return np.asarray(odds > SEEN / (1 - SEEN))
