"""Whether a head lies in template (MNI) space: a few coarse comparisons with the ICBM 152 average brain.

The scan is averaged to about 4 mm and looked up, by its own affine, at the template brain's points. Two correlations
tell: of the values inside the brain, and of their gradient's size (edges). Measured, values / edges:

    in template space   another ICBM 152 head on another grid: 0.91 / 0.94
                        another subject (BrainWeb 06), only shifted to where it fits best: 0.75..0.80 / 0.78..0.80
                        the template under smooth random warps, a bias field and noise, 3 mm a direction:
                        0.66..0.68 / 0.80..0.82, 4 mm: 0.56..0.61 / 0.68..0.77, 5 mm: 0.42..0.55 / 0.56..0.65
    shifted by 15 mm    at most 0.44 / 0.33, by 10 mm 0.54 / 0.42, by 5 mm 0.56..0.75 / 0.50..0.80
    turned by 15 deg    0.49..0.56 / 0.50..0.70, by 7 deg 0.68..0.75 / 0.70..0.88
    scaled 0.8 or 1.2   at most 0.45 / 0.42, 0.9 or 1.1: 0.50..0.67 / -0.12..0.55
    upside down, back to front, or centred without an orientation: at most 0.43 / 0.39
    another contrast    (inverted values) -0.80 / 0.67

A head mirrored left to right fits as well as its original (0.99): no picture can tell that, so the affine is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import ndimage

from core.imaging.geometry import ras_mm_to_index
from core.imaging.reader import read
from core.imaging.registration.quality import correlation
from core.imaging.sample import template_file
from core.imaging.titles import TEMPLATE_FILE
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]

STEP_MM = 4.0
MIN_COVERED = 0.85
MIN_VALUES = 0.56
MIN_EDGES = 0.50
SURE = 0.70  # at least this of both: the template's coordinates can be used without registering the head first


@dataclass(frozen=True)
class Match:
    """How well a scan fits the template: part of the brain that it covers, and two correlations."""

    covered: float
    values: float
    edges: float

    @property
    def in_template_space(self) -> bool:
        return self.covered >= MIN_COVERED and self.values >= MIN_VALUES and self.edges >= MIN_EDGES

    @property
    def surely_in_template_space(self) -> bool:
        return self.in_template_space and min(self.values, self.edges) >= SURE


@dataclass(frozen=True)
class _Template:
    points_ras_mm: Array  # (x, y, z, 3)
    values: Array  # (x, y, z)
    edges: Array
    brain: Array  # (x, y, z) bool


def match(volume: Volume) -> Match:
    """Compare a scan with the template, in the place where its affine puts it."""
    template = _template()
    values, affine = _averaged(volume.values(), volume.affine_ras)
    index = np.moveaxis(ras_mm_to_index(affine, template.points_ras_mm), -1, 0)
    looked_up = ndimage.map_coordinates(values, index, order=1, cval=np.nan)
    inside = template.brain & np.isfinite(looked_up)
    covered = float(inside.sum() / template.brain.sum())
    if covered < MIN_COVERED:
        return Match(covered, 0.0, 0.0)
    edges = _edges(np.nan_to_num(looked_up))
    values_fit = correlation(looked_up[inside], template.values[inside])
    return Match(covered, values_fit, correlation(edges[inside], template.edges[inside]))


@cache
def _template() -> _Template:
    volume = read(template_file(TEMPLATE_FILE))
    values, affine = _averaged(volume.values(), volume.affine_ras)
    brain, _ = _averaged((volume.voxels > 0).astype(np.float32), volume.affine_ras)
    points = np.moveaxis(np.indices(values.shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return _Template(points, values, _edges(values), brain > 0.5)


def _averaged(values: Array, affine_ras: Array) -> tuple[Array, Array]:
    """Means of blocks of about STEP_MM, and their affine."""
    spacing = np.sqrt((affine_ras[:3, :3] ** 2).sum(axis=0))
    block = [max(round(STEP_MM / s), 1) for s in spacing]
    i, j, k = (n // b for n, b in zip(values.shape, block, strict=True))
    cut = np.nan_to_num(values[: i * block[0], : j * block[1], : k * block[2]])
    means = cut.reshape(i, block[0], j, block[1], k, block[2]).mean(axis=(1, 3, 5))
    scale = np.diag([*block, 1.0])
    scale[:3, 3] = [(b - 1) / 2 for b in block]
    return means, affine_ras @ scale


def _edges(values: Array) -> Array:
    return ndimage.gaussian_gradient_magnitude(values, 0.7)
