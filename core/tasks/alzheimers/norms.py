"""How a volume is shown to the network: as its difference from the training subjects' mean, in units of their spread.

Images lie in one space, so what is left is what sets a subject apart. A volume that is missing is the mean one.
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
FARTHEST = 8.0


@dataclass(frozen=True, eq=False)
class Norms:
    """Of MRI and PET: mean (2, x, y, z) and spread (2,) float32, the deviation of a voxel where there is tissue."""

    mean: Array
    spread: Array

    def standardised(self, mri: Array | None, pet: Array | None) -> Array:
        """(2, x, y, z) float32."""
        found = np.zeros_like(self.mean)
        for place, volume in enumerate((mri, pet)):
            if volume is not None:
                found[place] = (volume - self.mean[place]) / self.spread[place]
        return np.clip(found, -FARTHEST, FARTHEST, out=found)

    def save(self) -> bytes:
        from safetensors.numpy import save

        return bytes(save({"mean": self.mean.astype(np.float16), "spread": self.spread}))


def fit_norms(volumes: Iterable[tuple[Array | None, Array | None]], shape: tuple[int, int, int]) -> Norms:
    """From the training subjects' volumes on the grid; of an image that nobody has, mean 0 and spread 1."""
    total, squares = np.zeros((2, *shape)), np.zeros((2, *shape))
    counts = np.zeros(2)
    for pair in volumes:
        for place, volume in enumerate(pair):
            if volume is not None:
                total[place] += volume
                squares[place] += volume.astype(np.float64) ** 2
                counts[place] += 1
    number = np.maximum(counts, 1).reshape(2, 1, 1, 1)
    mean = total / number
    variance = np.maximum(squares / number - mean**2, 0)
    varies = [each[each > 1e-9] for each in variance]
    spread = np.array([np.sqrt(each.mean()) if len(each) else 1.0 for each in varies], np.float32)
    # In 16 bits, as it is kept, so that a run and its package compute alike.
    return Norms(mean.astype(np.float16).astype(np.float32), spread)


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
    if mean.shape != (2, *shape) or spread.shape != (2,) or not (np.isfinite(mean).all() and (spread > 0).all()):
        raise ModelError("the norms of the images do not fit the model's grid", where=where)
    return Norms(mean, spread)
