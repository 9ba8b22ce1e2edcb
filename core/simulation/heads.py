"""Simulated T1 and FDG-PET pictures of one head: the template's tissues, moved, thinned and darkened as asked for.

    template tissues -> a subject's own anatomy (smooth warp, uneven thickness, age) -> disease: grey matter becomes
    fluid where `atrophy` says so, the ventricles widen, uptake falls where `hypometabolism` says so -> scanner

The places follow what is known of the disease: hippocampus and medial temporal lobe, then temporoparietal cortex
(Frisoni et al., Nat Rev Neurol 6 (2010) 67); uptake in posterior cingulate, parietal and temporal cortex (Minoshima
et al., Ann Neurol 42 (1997) 85). They are smooth spots set by hand, alike on both sides; nobody's measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import ndimage

from core.imaging.mni import Grid, Tissues, tissues

Array = np.ndarray[Any, Any]
Spot = tuple[float, float, float, float, float]  # x (both sides), y, z in MNI mm, radius (sd) in mm, weight

ATROPHY: tuple[Spot, ...] = (
    (23, -10, -20, 6, 1.0), (27, -20, -15, 6, 1.0), (29, -29, -10, 6, 1.0), (25, -37, -3, 6, 0.8),  # hippocampus
    (24, -2, -26, 8, 0.8),  # amygdala, entorhinal cortex
    (56, -25, -14, 17, 0.55), (46, -56, 36, 16, 0.5), (5, -52, 30, 12, 0.5), (36, 32, 28, 18, 0.25),
)  # fmt: skip
HYPOMETABOLISM: tuple[Spot, ...] = (
    (5, -50, 30, 13, 1.0), (44, -58, 40, 16, 0.95), (56, -36, -6, 17, 0.8), (26, -20, -16, 8, 0.5),
    (34, 34, 32, 16, 0.3),
)  # fmt: skip

EVERYWHERE = 0.12  # the weight of the atrophy of all grey matter but the cerebellum's
MOST_LOSS = 0.65  # of grey matter at weight 1 and severity 1
MOST_FALL = 0.5  # of uptake, likewise
VENTRICLES_MM = 4.0  # how far their walls move at severity 1
PET_NOISE = 0.025
WARP_MM, OWN_THICKNESS = 1.2, 0.03  # what makes one anatomy differ from another
AGE_LOSS, AGE_VENTRICLES_MM = 0.02, 0.5  # for each standard deviation of age, whatever the disease

VENTRICLES_MNI_MM = ((-36.0, 36.0), (-48.0, 40.0), (-8.0, 32.0))  # the box in which fluid is ventricle


@dataclass(frozen=True)
class Scanner:
    """What a scanner does to the pictures. gain: of T1 values; gamma: of its contrast; blur_mm: the PET's (sd)."""

    name: str
    gain: float
    gamma: float
    noise: float
    bias: float
    blur_mm: float
    pet_gain: float


SCANNERS = (
    Scanner("A", gain=900, gamma=1.0, noise=0.020, bias=0.15, blur_mm=2.6, pet_gain=1.0),
    Scanner("B", gain=450, gamma=1.15, noise=0.030, bias=0.25, blur_mm=3.2, pet_gain=1.6),
    Scanner("C", gain=1500, gamma=0.9, noise=0.025, bias=0.20, blur_mm=2.2, pet_gain=0.7),
)


@dataclass(frozen=True, eq=False)
class Lesions:
    """Where the disease is, on a grid: two weights 0..1, (x, y, z), and the pull on the ventricles' walls.

    widening: (3, x, y, z), in voxels for each mm: from a voxel towards where its tissue came from.
    """

    atrophy: Array
    hypometabolism: Array
    widening: Array


@lru_cache(maxsize=2)
def lesions(grid: Grid) -> Lesions:
    """The disease's maps on a grid."""
    known = tissues(grid)
    grey = known.grey / np.maximum(known.brain, 1e-6) * known.inside
    _, y, z = grid.places_mm()
    cerebellum = _step(-22 - z) * _step(-38 - y)
    atrophy = np.clip(_spots(grid, ATROPHY) + EVERYWHERE * (1 - cerebellum), 0, 1) * grey
    fall = _spots(grid, HYPOMETABOLISM) * grey
    return Lesions(atrophy.astype(np.float32), fall.astype(np.float32), _widening(known))


def _step(mm: Array) -> Array:
    """From 0 to 1 within a few millimetres."""
    return np.asarray(1 / (1 + np.exp(-mm / 3)))


def _spots(grid: Grid, spots: tuple[Spot, ...]) -> Array:
    """The largest of smooth spots, each on both sides."""
    found = np.zeros(grid.shape, np.float32)
    x, y, z = grid.places_mm()
    for side in (-1, 1):
        for sx, sy, sz, radius, weight in spots:
            squares = (x - side * sx) ** 2 + (y - sy) ** 2 + (z - sz) ** 2
            np.maximum(found, weight * np.exp(-squares / (2 * radius**2)), out=found)
    return found


def _widening(known: Tissues) -> Array:
    """Unit pull towards the ventricles beside them, falling off within about 12 mm."""
    inside = known.fluid * known.inside
    for place, (low, high) in zip(known.grid.places_mm(), VENTRICLES_MNI_MM, strict=True):
        inside = inside * ((place >= low) & (place <= high))
    spacing = np.array(known.grid.spacing_mm)
    near = ndimage.gaussian_filter(inside, 8.0 / spacing)
    pull = np.stack(np.gradient(near, *spacing))
    length = np.sqrt((pull**2).sum(axis=0))
    pull /= max(float(np.quantile(length[known.inside], 0.98)), 1e-9)
    pull /= np.maximum(np.sqrt((pull**2).sum(axis=0)), 1.0)
    return (pull / spacing[:, None, None, None]).astype(np.float32)


@lru_cache(maxsize=8)
def _bases(grid: Grid, knots_mm: float) -> tuple[Array, Array, Array]:
    """Smooth bumps along each axis, (voxels, knots), that make a field of unit deviation of random numbers."""
    bases = []
    for n, step in zip(grid.shape, grid.spacing_mm, strict=True):
        length = n * step
        knots = max(round(length / knots_mm), 2) + 2
        at = (np.arange(knots) - 0.5) * length / (knots - 2)
        bumps = np.exp(-(((np.arange(n) + 0.5)[:, None] * step - at) ** 2) / (2 * (0.6 * knots_mm) ** 2))
        bases.append((bumps / np.sqrt((bumps**2).sum(axis=1, keepdims=True))).astype(np.float32))
    return bases[0], bases[1], bases[2]


def smooth_field(grid: Grid, knots_mm: float, rng: np.random.Generator) -> Array:
    """(x, y, z) float32: a random field of zero mean and unit deviation that changes over about `knots_mm`."""
    a, b, c = _bases(grid, knots_mm)
    numbers = rng.standard_normal((a.shape[1], b.shape[1], c.shape[1])).astype(np.float32)
    return np.asarray(np.einsum("xi,yj,zk,ijk->xyz", a, b, c, numbers, optimize=True))


@dataclass(frozen=True)
class Disease:
    """How ill a head is, 0 (not) to about 1: as the MRI, and as the PET shows it. age: in standard deviations."""

    atrophy: float
    hypometabolism: float
    age: float


def make_head(grid: Grid, disease: Disease, scanner: Scanner, rng: np.random.Generator) -> tuple[Array, Array]:
    """A T1 picture, skull removed, and a PET picture of one head, each (x, y, z) float32 on the grid, in MNI space."""
    known, ill = tissues(grid), lesions(grid)
    where = _warp(grid, rng)
    widening = VENTRICLES_MM * disease.atrophy + AGE_VENTRICLES_MM * (disease.age + 0.5 * rng.standard_normal())
    where += widening * ill.widening
    residual = known.t1 - (0.95 * known.white + 0.68 * known.grey + 0.25 * known.fluid)
    maps = (known.grey, known.white, known.fluid, residual, ill.atrophy, ill.hypometabolism)
    grey, white, fluid, residual, atrophy, fall = (
        ndimage.map_coordinates(m, where, order=1, mode="constant", cval=0.0) for m in maps
    )
    thinning = MOST_LOSS * disease.atrophy * atrophy + AGE_LOSS * (disease.age + 0.5 * rng.standard_normal())
    thinning += OWN_THICKNESS * smooth_field(grid, 45, rng)  # a subject's own thickness
    lost = grey * np.clip(thinning, -0.15, 0.9)
    grey, fluid = grey - lost, np.maximum(fluid + lost, 0.0)
    t1 = _t1(grid, scanner, (grey, white, fluid), residual, rng)
    uptake = grey * (1 - MOST_FALL * disease.hypometabolism * fall) * (1 + 0.05 * smooth_field(grid, 40, rng))
    return t1, _pet(grid, scanner, uptake + 0.3 * white + 0.05 * fluid, rng)


def _warp(grid: Grid, rng: np.random.Generator) -> Array:
    """(3, x, y, z) float32: for each voxel the place, in voxels, that its tissue comes from; about 2 mm away."""
    where = np.asarray(np.indices(grid.shape), np.float32)
    middle = (np.array(grid.shape, np.float32) - 1) / 2
    for axis in range(3):
        larger = 0.02 * rng.standard_normal()
        where[axis] += larger * (where[axis] - middle[axis])
        where[axis] += WARP_MM / grid.spacing_mm[axis] * smooth_field(grid, 35, rng)
    return where


def _t1(
    grid: Grid, scanner: Scanner, shares: tuple[Array, Array, Array], residual: Array, rng: np.random.Generator
) -> Array:
    grey, white, fluid = shares
    brain = grey + white + fluid
    ideal = np.clip(0.95 * white + 0.68 * grey + 0.25 * fluid + residual, 0, None) ** scanner.gamma
    ideal *= np.exp(scanner.bias * smooth_field(grid, 90, rng)) * scanner.gain
    # The noise of a magnitude picture (Gudbjartsson & Patz, Magn Reson Med 34 (1995) 910).
    noise = scanner.noise * scanner.gain * rng.standard_normal((2, *grid.shape)).astype(np.float32)
    seen = np.sqrt((ideal + noise[0]) ** 2 + noise[1] ** 2)
    return np.asarray(np.where(brain > 0.4, seen, 0), np.float32)


def _pet(grid: Grid, scanner: Scanner, uptake: Array, rng: np.random.Generator) -> Array:
    """Blurred as by the scanner, noisy, and scaled by what a dose and a body weight do; so it needs a reference."""
    blur = [scanner.blur_mm / step for step in grid.spacing_mm]
    noise = ndimage.gaussian_filter(rng.standard_normal(grid.shape).astype(np.float32), [0.7 * b for b in blur])
    noise *= PET_NOISE / max(float(noise.std()), 1e-6)
    seen = ndimage.gaussian_filter(uptake, blur)
    seen = np.maximum(seen * (1 + noise), 0)
    dose = np.exp(0.2 * rng.standard_normal()) * scanner.pet_gain * 8_000  # Bq/mL
    return np.asarray(seen * dose, np.float32)
