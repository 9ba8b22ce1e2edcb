"""From a scan to the network's input and back: the same steps in training, prediction and evaluation.

A scan is turned nearest to RAS (exact), brought to the plan's spacing along its own axes, and its intensities are
standardised: over the whole volume, or by the plan's own scale where values are calibrated (CT). The way back
interpolates the probabilities, takes the most probable label, and turns it to the scan's own axes (exact).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.data.plan import IGNORED, Intensities, Plan
from core.imaging.geometry import Reorientation, to_canonical
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]

# Spacings nearer to each other than this are the same: resampling would only blur.
SAME_SPACING = 0.02


@dataclass(frozen=True)
class Prepared:
    """A scan as the network sees it. `image` is (channels, x, y, z) float32, zero mean and unit variance."""

    image: Array
    affine_ras: Array  # of the canonical grid before resampling
    reorientation: Reorientation
    canonical_shape: tuple[int, int, int]


def standardise(image: Array) -> Array:
    """Zero mean and unit variance between the 0.5th and 99.5th percentile, float32. A constant image becomes zeros."""
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return np.zeros_like(image, dtype=np.float32)
    low, high = np.percentile(finite, (0.5, 99.5))
    clipped = np.clip(np.nan_to_num(image, nan=low, posinf=high, neginf=low), low, high).astype(np.float32)
    spread = float(clipped.std())
    if spread < 1e-8 * max(abs(float(high)), 1e-8):
        return np.zeros_like(clipped)
    return (clipped - float(clipped.mean())) / spread


def rescale(image: Array, scale: Intensities) -> Array:
    """Clip to the scale's range, take off its mean, divide by its deviation; float32. What is no number becomes low."""
    clipped = np.clip(
        np.nan_to_num(image, nan=scale.low, posinf=scale.high, neginf=scale.low), scale.low, scale.high
    ).astype(np.float32)
    return (clipped - np.float32(scale.mean)) / np.float32(scale.std)


def resampled_shape(
    shape: tuple[int, ...], spacing_mm: tuple[float, ...], target_mm: tuple[float, ...]
) -> tuple[int, ...]:
    """The grid of the same extent at another spacing.

    >>> resampled_shape((10, 10, 10), (1.0, 1.0, 3.0), (1.0, 1.0, 1.0))
    (10, 10, 30)
    """
    return tuple(
        n if abs(old / new - 1) <= SAME_SPACING else max(round(n * old / new), 1)
        for n, old, new in zip(shape, spacing_mm, target_mm, strict=True)
    )


def resize(image: Array, shape: tuple[int, ...], *, order: int) -> Array:
    """Interpolate (x, y, z) to another shape over the same extent (voxel edges stay, not voxel centres)."""
    if image.shape == shape:
        return image
    from scipy import ndimage  # slow to import, and many scans have the spacing that is asked for

    zoom = [new / old for new, old in zip(shape, image.shape, strict=True)]
    return ndimage.zoom(image, zoom, order=order, mode="nearest", grid_mode=True)


def prepare(volume: Volume, plan: Plan) -> Prepared:
    """The network's input for a scan, of each of its channels by itself; see the module's text for the steps."""
    turn = to_canonical(volume.affine_ras)
    affine = turn.affine(volume.affine_ras, volume.grid_shape)
    channels = [
        prepare_array(np.ascontiguousarray(turn.apply(volume.values(channel))), affine, plan, turn)
        for channel in range(plan.channels)
    ]
    if len(channels) == 1:
        return channels[0]
    return replace(channels[0], image=np.concatenate([one.image for one in channels]))


def prepare_array(canonical: Array, affine_ras: Array, plan: Plan, turn: Reorientation) -> Prepared:
    """As `prepare`, for values that are already turned nearest to RAS (a crop of a larger scan, say)."""
    spacing = tuple(float(s) for s in np.sqrt((affine_ras[:3, :3] ** 2).sum(axis=0)))
    shape = resampled_shape(canonical.shape, spacing, plan.spacing_mm)
    resized = resize(canonical, shape, order=1)
    image = standardise(resized) if plan.intensities is None else rescale(resized, plan.intensities)
    return Prepared(image[None], affine_ras, turn, tuple(canonical.shape))


def prepare_labels(labels: Volume, plan: Plan) -> Array:
    """A label map on the network's grid: (x, y, z) uint8 class indices.

    0 is background and what the plan does not list, IGNORED what it leaves out, others are places in `plan.values`.
    """
    turn = to_canonical(labels.affine_ras)
    values = turn.apply(np.rint(labels.values()).astype(np.int32))
    classes = np.zeros(values.shape, np.uint8)
    for index, value in enumerate(plan.values, start=1):
        classes[values == value] = index
    if plan.ignore_label is not None:
        classes[values == plan.ignore_label] = IGNORED
    shape = resampled_shape(classes.shape, _turned(labels.spacing_mm, turn), plan.spacing_mm)
    if shape == classes.shape:
        return np.ascontiguousarray(classes)
    # Nearest would leave steps: interpolate each class and keep the strongest.
    indices = np.array([*range(len(plan.values) + 1), *([IGNORED] if plan.ignore_label is not None else [])], np.uint8)
    parts = np.stack([resize((classes == c).astype(np.float32), shape, order=1) for c in indices])
    return indices[parts.argmax(axis=0)]


def restore_probabilities(probabilities: Array, prepared: Prepared) -> Array:
    """(classes, x, y, z) on the network's grid -> on the canonical grid the scan came from."""
    if probabilities.shape[1:] == prepared.canonical_shape:
        return probabilities
    return np.stack([resize(p, prepared.canonical_shape, order=1) for p in probabilities])


def restore_labels(class_indices: Array, prepared: Prepared, plan: Plan) -> Array:
    """Class indices on the canonical grid -> label values on the scan's own grid, uint8 (uint16 where needed)."""
    values = np.array([0, *(label.value for label in plan.labels)])
    values = values.astype(np.uint8 if values.max() < 256 else np.uint16)
    return np.ascontiguousarray(prepared.reorientation.invert(values[class_indices]))


def _turned(spacing_mm: tuple[float, float, float], turn: Reorientation) -> tuple[float, ...]:
    return tuple(spacing_mm[axis] for axis in turn.order)
