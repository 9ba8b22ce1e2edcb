"""How well a registration fits, as figures, and whether it may be shown as one that does.

Judged on pictures of 4 mm inside the core of the target (the template's brain; the other scan's tissue), as
`core.inference.template` judges a head that is said to lie in template space.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from core.imaging.registration.pictures import Picture, shares, threshold
from core.imaging.registration.target import Target

Array = np.ndarray[Any, Any]

BINS = 16


@dataclass(frozen=True)
class Quality:
    """Figures in 0..1 (correlations -1..1), and how the matrix moves the scan.

    covered: part of the target's core that the scan's field of view holds. overlap: part of the core that lies on
    tissue of the scan. correlation: of the values. similarity: how far one's value at a place tells the other's
    there, whatever the contrast (the root of the correlation ratio, Roche et al. 1998; the better of both ways).
    edges: correlation of the gradients' sizes. turn_deg, scale (smallest and largest): of moving to fixed.
    """

    covered: float
    overlap: float
    correlation: float
    similarity: float
    edges: float
    turn_deg: float
    scale: tuple[float, float]
    mirrored: bool = False

    def as_dict(self) -> dict[str, Any]:
        plain = {key: round(value, 4) for key, value in asdict(self).items() if isinstance(value, float)}
        return plain | {"scale": [round(factor, 4) for factor in self.scale]}


def judge(target: Target, moving: Picture, fixed_to_moving: Array) -> Quality:
    """The figures of a matrix, fixed RAS mm -> moving RAS mm."""
    fixed, seen = target.picture.coarser(2), moving.coarser(2)
    core = shares(target.core, 2) > 0.5
    everywhere = fixed.points_ras_mm(np.ones(fixed.values.shape, bool))
    there = everywhere @ fixed_to_moving[:3, :3].T + fixed_to_moving[:3, 3]
    values, inside = (found(there).reshape(fixed.values.shape) for found in (seen.values_at, seen.holds))
    both = core & inside
    turn_deg, scale, mirrored = _way(fixed_to_moving)
    covered = float(both.sum() / max(core.sum(), 1))
    if both.sum() < 50:
        return Quality(covered, 0.0, 0.0, 0.0, 0.0, turn_deg, scale, mirrored)
    tissue = values > threshold(seen.values[seen.inside]) * 0.7
    a, b = fixed.values[both], values[both]
    edges_fixed, edges_moving = (ndimage.gaussian_gradient_magnitude(v, 0.7)[both] for v in (fixed.values, values))
    return Quality(
        covered, float((tissue & core).sum() / core.sum()), correlation(a, b), max(_told(a, b), _told(b, a)),
        correlation(edges_fixed, edges_moving), turn_deg, scale, mirrored,
    )  # fmt: skip


def correlation(a: Array, b: Array) -> float:
    """Pearson's r, 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0 else 0.0


def _told(a: Array, b: Array) -> float:
    """The root of the part of b's variance that the bins of a explain."""
    place = np.minimum((a * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    means = np.bincount(place, b, BINS) / np.maximum(counts, 1)
    spread = float(((b - b.mean()) ** 2).sum())
    return float(np.sqrt((counts * (means - b.mean()) ** 2).sum() / spread)) if spread > 0 else 0.0


def _way(fixed_to_moving: Array) -> tuple[float, tuple[float, float], bool]:
    """The turn in degrees, the smallest and largest scale, and whether left and right are swapped."""
    left, sizes, right = np.linalg.svd(np.linalg.inv(fixed_to_moving)[:3, :3])
    turn = left @ right
    mirrored = bool(np.linalg.det(turn) < 0)
    cosine = (np.trace(-turn if mirrored else turn) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), (float(sizes[-1]), float(sizes[0])), mirrored
