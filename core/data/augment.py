"""Random changes to a training patch, of the kinds of nnU-Net's trainer.

Intensities change at its rates; poses more often (`pose_share`), since small networks on few cases overfit otherwise.
All of them follow from a numpy generator, so a patch that is made again is the same; they run on the patch's device.
(Isensee et al., doi 10.1038/s41592-020-01008-z; its strengths are those of an `intensity` of 0.2.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.config import AugmentConfig

Array = np.ndarray[Any, Any]
Rng = np.random.Generator

MOVE = 2.0  # voxels along each axis, at most, of a patch that is posed
NOISE, BLUR, BRIGHTNESS, CONTRAST, LOW_RESOLUTION, GAMMA_INVERTED, GAMMA = 0.1, 0.1, 0.15, 0.15, 0.125, 0.1, 0.3
AXES = "xyz"
SPATIAL = (1, 2, 3)  # the voxel axes of a patch (channels, x, y, z)


@dataclass(frozen=True)
class Pose:
    """A rotation and scaling about the patch's centre, and a move: voxel offsets in the patch -> those in the case."""

    matrix: Array
    move: Array = field(default_factory=lambda: np.zeros(3))

    @classmethod
    def draw(cls, config: AugmentConfig, spacing_mm: Sequence[float], rng: Rng, flat: int | None = None) -> Pose | None:
        """A random pose, or None where the patch stays as it lies. flat: the axis of a single slice."""
        if rng.random() >= config.pose_share or not (config.rotate_deg or config.scale):
            return None
        matrix = np.eye(3)
        for axis, angle in enumerate(np.deg2rad(rng.uniform(-config.rotate_deg, config.rotate_deg, 3))):
            if flat in (None, axis):
                matrix = matrix @ _rotation(axis, angle)
        # A turn happens in millimetres; voxels may be longer along one axis.
        spacing = np.asarray(spacing_mm)
        factors, move = rng.uniform(1 - config.scale, 1 + config.scale, 3), rng.uniform(-MOVE, MOVE, 3)
        if flat is not None:
            factors[flat], move[flat] = 1, 0
        return cls(matrix * spacing[None, :] / spacing[:, None] * factors, move)

    def window(self, size: Sequence[int]) -> tuple[int, int, int]:
        """The voxels of the case that a patch of `size` looks at, about its centre."""
        x, y, z = np.ceil(np.abs(self.matrix) @ np.asarray(size) + 2 * np.abs(self.move)).astype(int) + 2
        return int(x), int(y), int(z)

    def take(self, image: Tensor, label: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Sample (C, x, y, z) windows about their centre: linearly the image, by the nearest voxel the label."""
        theta = self.matrix * np.asarray(size)[None, :] / np.asarray(image.shape[1:])[:, None]
        # grid_sample names the last axis first.
        affine = torch.zeros(1, 3, 4)
        affine[0, :, :3] = torch.from_numpy(theta[::-1, ::-1].copy())
        affine[0, :, 3] = torch.from_numpy((2 * self.move / np.asarray(image.shape[1:]))[::-1].copy())
        grid = functional.affine_grid(affine.to(image.device), [1, 1, *size], align_corners=False)
        turned = functional.grid_sample(image[None], grid, "bilinear", "zeros", align_corners=False)[0]
        classes = functional.grid_sample(label[None].float(), grid, "nearest", "zeros", align_corners=False)[0]
        return turned, classes.to(label.dtype)


def mirrored(config: AugmentConfig, rng: Rng) -> list[int]:
    """The axes of a patch (channels, x, y, z) that are turned round: each of the configured ones with even odds."""
    return [1 + AXES.index(axis) for axis in config.flip_axes if rng.random() < 0.5]


def change_intensity(image: Tensor, strength: float, rng: Rng) -> Tensor:
    """Noise, blur, brightness, contrast, a coarser scanner and gamma, each now and then; (C, x, y, z) -> the same."""
    k = strength
    channels = (len(image), 1, 1, 1)

    def factor(low: float, high: float) -> Tensor:
        return torch.from_numpy(_about_one(low, high, channels, rng)).to(image)

    if rng.random() < NOISE:
        image = image + _noise(image, math.sqrt(rng.uniform(0, 0.5 * k)), rng)
    if rng.random() < BLUR:
        image = blur(image, rng.uniform(0.5, 0.5 + 2.5 * k, 3).tolist())
    if rng.random() < BRIGHTNESS:
        image = image * factor(1 - 1.25 * k, 1 + 1.25 * k)
    if rng.random() < CONTRAST:
        mean = image.mean(SPATIAL, keepdim=True)
        low, high = image.amin(SPATIAL, keepdim=True), image.amax(SPATIAL, keepdim=True)
        image = torch.lerp(mean, image, factor(1 - 1.25 * k, 1 + 1.25 * k)).clamp(low, high)
    if rng.random() < LOW_RESOLUTION:
        image = coarsen(image, rng.uniform(max(1 - 2.5 * k, 0.2), 1))
    if rng.random() < GAMMA_INVERTED:
        image = -gamma(-image, factor(1 - 1.5 * k, 1 + 2.5 * k))
    if rng.random() < GAMMA:
        image = gamma(image, factor(1 - 1.5 * k, 1 + 2.5 * k))
    return image


def blur(image: Tensor, sigma: Sequence[float]) -> Tensor:
    """A Gaussian of `sigma` voxels along each axis; the border goes on beyond the edge."""
    for axis, width in enumerate(sigma):
        radius = min(max(round(3 * width), 1), image.shape[1 + axis] - 1)
        if radius < 1:
            continue
        offsets = torch.arange(-radius, radius + 1, device=image.device)
        weights = torch.exp(-0.5 * (offsets / width) ** 2)
        shape, pad = [1, 1, 1, 1, 1], [0] * 6
        shape[2 + axis] = len(weights)
        pad[4 - 2 * axis] = pad[5 - 2 * axis] = radius
        padded = functional.pad(image[:, None], pad, mode="replicate")
        image = functional.conv3d(padded, (weights / weights.sum()).reshape(shape))[:, 0]
    return image


def coarsen(image: Tensor, scale: float) -> Tensor:
    """The image as a scanner with `scale` of the resolution would give it, on the same grid."""
    size = image.shape[1:]
    coarse = functional.interpolate(image[None], [max(round(n * scale), 1) for n in size], mode="nearest-exact")
    return functional.interpolate(coarse, size, mode="trilinear")[0]


def gamma(image: Tensor, exponent: Tensor) -> Tensor:
    """Each channel's range raised to a power of its own, its mean and spread kept."""
    low = image.amin(SPATIAL, keepdim=True)
    extent = (image.amax(SPATIAL, keepdim=True) - low).clamp_min(1e-7)
    bent = ((image - low) / extent) ** exponent
    spread = image.std(SPATIAL, keepdim=True) / bent.std(SPATIAL, keepdim=True).clamp_min(1e-7)
    return (bent - bent.mean(SPATIAL, keepdim=True)) * spread + image.mean(SPATIAL, keepdim=True)


def _noise(image: Tensor, sigma: float, rng: Rng) -> Tensor:
    # Drawn by numpy: a torch generator would give other numbers on another device.
    return torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32)).to(image) * sigma


def _about_one(low: float, high: float, shape: Sequence[int], rng: Rng) -> Array:
    """Factors below and above one with even odds, however unequal the two ranges are."""
    low = max(low, 0.05)
    below = rng.random(shape) < 0.5
    return np.where(below, rng.uniform(low, 1, shape), rng.uniform(1, high, shape)).astype(np.float32)


def _rotation(axis: int, angle: float) -> Array:
    one, two = (i for i in range(3) if i != axis)
    matrix = np.eye(3)
    matrix[one, one] = matrix[two, two] = math.cos(angle)
    matrix[one, two], matrix[two, one] = -math.sin(angle), math.sin(angle)
    return matrix
