"""What a model's training scans looked like, and whether a scan looks like them: a warning before a wrong answer.

Two things are compared, both on the network's input, so that no scanner's own units matter:

- its brightness: quantiles, shape and smoothness of the standardised intensities, by the Mahalanobis distance to the
  training scans (Lee et al. 2018, arXiv 1807.03888, with plain features in place of deep ones);
- its coarse pattern: mean brightness in 6 x 6 x 6 blocks, by the correlation with the mean pattern of the training
  scans. A scan that correlates better when it is turned over was given upside down.

It says whether a scan is unlike; it cannot say that an answer is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from core.imaging.volume import Finding, Volume
from core.registry import Part

Array = np.ndarray[Any, Any]

BLOCKS = 6
QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
LAGS = (1, 3)  # voxels over which the likeness of neighbours is taken
FEATURES = len(QUANTILES) + 2 + 3 * len(LAGS) + 3
ROUGHNESS = slice(FEATURES - 3, FEATURES)
SHRINKAGE = 0.1  # of the correlations between features, which are few scans' estimate
ALLOWANCE = 1.25  # beyond the farthest of the training and validation scans
MOST_SIDE = 160  # voxels
FEWEST = 20  # scans; fewer tell too little
CLEARLY = 0.1  # by how much a turned scan has to fit better
CT_BELOW = -200.0  # a value that only Hounsfield units have
LEAST_CORRELATION = 0.2


class Likeness(Part):
    """The training scans' look, in a package's manifest. Lists hold FEATURES numbers, the pattern BLOCKS ** 3."""

    scans: int = Field(ge=1)
    mean: list[float] = Field(min_length=FEATURES, max_length=FEATURES)
    sd: list[float] = Field(min_length=FEATURES, max_length=FEATURES)
    correlation: list[list[float]] = Field(min_length=FEATURES, max_length=FEATURES)
    farthest: float = Field(gt=0)  # the largest distance that is taken for normal
    pattern: list[float] = Field(min_length=BLOCKS**3, max_length=BLOCKS**3)
    least_correlation: float = Field(ge=-1, le=1)  # the smallest that is taken for normal
    lowest: float  # of the training scans' own values, outliers aside

    @model_validator(mode="after")
    def _sane(self) -> Likeness:
        if any(len(row) != FEATURES for row in self.correlation) or min(self.sd) <= 0:
            raise ValueError("correlation has to be square, and sd above 0")
        return self


def learn(trained: Sequence[Array], validated: Sequence[Array], lowest: float) -> Likeness | None:
    """The look of training scans; None where they are too few to tell.

    trained, validated: network inputs (x, y, z), standardised. The limits are those of the farthest of all of them,
    with an allowance. lowest: the smallest 0.5th percentile of the training scans' own values.
    """
    if len(trained) < FEWEST:
        return None
    found = np.array([features(image) for image in trained])
    patterns = np.array([pattern(image) for image in trained])
    spread = np.maximum(found.std(axis=0, ddof=1), 1e-6)
    away = (found - found.mean(axis=0)) / spread
    correlation = away.T @ away / (len(away) - 1)
    shape = Likeness(
        scans=len(trained), mean=_rounded(found.mean(axis=0)), sd=_rounded(spread),
        correlation=[_rounded(row) for row in correlation], farthest=1.0, pattern=_rounded(patterns.mean(axis=0), 3),
        least_correlation=0.0, lowest=round(lowest, 2),
    )  # fmt: skip
    every = [*trained, *validated]
    farthest = max(distance(image, shape) for image in every) * ALLOWANCE
    # As far again from a perfect fit as the worst of them lies, on the scale of Fisher's z.
    worst = np.arctanh(min(max(min(fit(pattern(image), shape) for image in every), 0.0), 0.99)) / ALLOWANCE
    least = max(float(np.tanh(worst)), LEAST_CORRELATION)
    return shape.model_copy(update={"farthest": round(farthest, 3), "least_correlation": round(least, 3)})


def features(image: Array) -> Array:
    """Quantiles, skewness and kurtosis, how like neighbours are, and how rough it is, of a standardised image.

    Of a large one its middle tells.
    """
    middle = tuple(slice(max((n - MOST_SIDE) // 2, 0), max((n - MOST_SIDE) // 2, 0) + MOST_SIDE) for n in image.shape)
    flat = image[middle].astype(np.float64)
    along = [
        float((np.take(flat, range(n - lag), axis) * np.take(flat, range(lag, n), axis)).mean()) if n > lag else 0.0
        for axis, n in enumerate(flat.shape)
        for lag in LAGS
    ]
    rough = [float(np.abs(np.diff(flat, axis=axis)).mean()) if n > 1 else 0.0 for axis, n in enumerate(flat.shape)]
    return np.array([*np.percentile(flat, QUANTILES), (flat**3).mean(), (flat**4).mean(), *along, *rough])


def pattern(image: Array) -> Array:
    """Mean brightness in BLOCKS x BLOCKS x BLOCKS parts of an image, flat."""
    held = image.astype(np.float64)
    for axis, n in enumerate(image.shape):
        edges = np.linspace(0, n, BLOCKS + 1).astype(int)
        parts = [held.take(range(a, max(b, a + 1)), axis, mode="clip") for a, b in pairwise(edges.tolist())]
        held = np.concatenate([part.mean(axis=axis, keepdims=True) for part in parts], axis)
    return held.ravel()


def distance(image: Array, look: Likeness) -> float:
    """Mahalanobis distance of an image's features to those of the training scans."""
    away = (features(image) - look.mean) / np.array(look.sd)
    shrunk = (1 - SHRINKAGE) * np.array(look.correlation) + SHRINKAGE * np.eye(FEATURES)
    return float(np.sqrt(max(away @ np.linalg.lstsq(shrunk, away, rcond=None)[0], 0.0)))


def fit(found: Array, look: Likeness) -> float:
    """Correlation of a pattern with the mean pattern of the training scans."""
    one, other = found - found.mean(), np.array(look.pattern) - np.mean(look.pattern)
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / scale if scale > 0 else 0.0


def unlike(image: Array, look: Likeness, volume: Volume, mirror_axes: Iterable[str] = ()) -> list[Finding]:
    """What a scan has unlike the training scans, most telling first.

    image: the network's input (x, y, z). volume: the scan, for its own values. mirror_axes: the network was trained
    with these turned over, so a scan that is turned along them is no mistake.
    """
    found: list[Finding] = []

    def warn(code: str, message: str) -> None:
        found.append(Finding(code, "warning", f"{message} The answer may be wrong."))

    lowest = lowest_value(volume)
    if lowest < CT_BELOW <= look.lowest:
        warn("looks_like_ct", f"Values down to {lowest:.0f} are those of a CT; the training scans had none below 0.")
    blocks = pattern(image)
    turns = _turns(blocks, look, mirror_axes)
    upright = max(score for score, words in turns if not words)
    best, turned = max(turns)
    swapped = max(-score for score, words in turns if not words)
    if upright < look.least_correlation:
        if turned and best >= max(look.least_correlation, swapped, upright + CLEARLY):
            warn("turned_over", f"The scan seems to be {turned} compared with the training scans.")
        elif swapped >= look.least_correlation:
            warn("contrast_swapped", "Bright and dark are swapped compared with the training scans.")
        else:
            warn("region_unlike_training", "What the scan shows, or its contrast, is unlike the training scans.")
    if distance(image, look) > look.farthest:
        away = float(np.mean(((features(image) - look.mean) / np.array(look.sd))[ROUGHNESS]))
        why = ": it is much noisier" if away > 5 else ": it is much smoother" if away < -5 else ""
        warn("brightness_unlike_training", f"Its brightness pattern is unlike that of the training scans{why}.")
    return found


def _turns(blocks: Array, look: Likeness, mirror_axes: Iterable[str]) -> list[tuple[float, str]]:
    """How well the pattern fits turned over along each set of axes, with words for it: none where it may be so."""
    cube, allowed = blocks.reshape((BLOCKS,) * 3), set(mirror_axes)
    words = ("mirrored left to right", "back to front", "upside down")
    sets = [chosen for n in range(4) for chosen in combinations(range(3), n)]
    return [
        (
            fit(np.flip(cube, chosen).ravel(), look),
            " and ".join(words[axis] for axis in reversed(chosen) if "xyz"[axis] not in allowed),
        )
        for chosen in sets
    ]


def lowest_value(volume: Volume) -> float:
    """The 0.5th percentile of a sample of a scan's own values."""
    step = tuple(slice(None, None, max(n // 48, 1)) for n in volume.grid_shape)
    held = volume.voxels[..., 0] if volume.voxels.ndim == 4 else volume.voxels
    values = held[step].astype(np.float64) * volume.slope + volume.intercept
    values = values[np.isfinite(values)]
    return float(np.percentile(values, 0.5)) if values.size else 0.0


def _rounded(values: Array, digits: int = 4) -> list[float]:
    return [round(float(value), digits) for value in values]
