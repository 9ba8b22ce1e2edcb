"""How a volume is shown to the network: as deviations from the training subjects' mean, voxel by voxel.

Images lie in one space, so each voxel has a mean and a spread of its own; what is left is what sets a subject apart. A
volume that is missing is the mean one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import ModelError
from core.files import write_bytes

Array = np.ndarray[Any, Any]

NORMS = "norms.safetensors"
FARTHEST = 5.0
LEAST_SPREAD = 0.25  # of the median spread: a voxel that hardly varies is not blown up


@dataclass(frozen=True, eq=False)
class Norms:
    """mean, spread: (2, x, y, z) float32, of MRI and PET. spread is 0 where no training subject had tissue."""

    mean: Array
    spread: Array

    def standardised(self, mri: Array | None, pet: Array | None) -> Array:
        """(2, x, y, z) float32 in standard deviations of the training subjects."""
        found = np.zeros_like(self.mean)
        for place, volume in enumerate((mri, pet)):
            if volume is not None:
                away = volume - self.mean[place]
                np.divide(away, self.spread[place], out=found[place], where=self.spread[place] > 0)
        return np.clip(found, -FARTHEST, FARTHEST, out=found)

    def save(self) -> bytes:
        from safetensors.numpy import save

        return bytes(save({"mean": self.mean.astype(np.float16), "spread": self.spread.astype(np.float16)}))


def fit_norms(volumes: Iterable[tuple[Array | None, Array | None]], shape: tuple[int, int, int]) -> Norms:
    """From the training subjects' volumes on the grid. Where there is no such image at all, it counts for nothing."""
    total, squares = np.zeros((2, *shape)), np.zeros((2, *shape))
    counts = np.zeros(2)
    for pair in volumes:
        for place, volume in enumerate(pair):
            if volume is not None:
                total[place] += volume
                squares[place] += volume.astype(np.float64) ** 2
                counts[place] += 1
    counts = np.maximum(counts, 1).reshape(2, 1, 1, 1)
    mean = total / counts
    spread = np.sqrt(np.maximum(squares / counts - mean**2, 0))
    for place in range(2):
        varies = spread[place] > 1e-6
        if varies.any():
            least = LEAST_SPREAD * np.median(spread[place][varies])
            spread[place] = np.where(varies, np.maximum(spread[place], least), 0)
    # As they are kept, so that a run and its package compute alike.
    return Norms(mean.astype(np.float16).astype(np.float32), spread.astype(np.float16).astype(np.float32))


def write_norms(folder: Path, norms: Norms) -> None:
    write_bytes(folder / NORMS, norms.save())


def read_norms(data: bytes, shape: tuple[int, int, int], where: Path) -> Norms:
    """From a file's bytes. Raises ModelError where they are none for that grid."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        found = load(data)
        mean, spread = (np.asarray(found[name], np.float32) for name in ("mean", "spread"))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the norms of the images are not readable ({error})", where=where) from None
    if mean.shape != (2, *shape) or spread.shape != mean.shape or not (np.isfinite(mean) & np.isfinite(spread)).all():
        raise ModelError("the norms of the images do not fit the model's grid", where=where)
    return Norms(mean, spread)
