"""What speaks for a score and against it: integrated gradients (Sundararajan 2017, arXiv 1703.01365).

The path goes from the mean of the training subjects to the subject at hand, in images and clinical values together, so
that all parts are in one unit and add up to how much the score differs from that of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from core.control import JobControl
from core.tasks.alzheimers.answering import Answerer, Pair
from core.tasks.alzheimers.plan import MODALITIES

Array = np.ndarray[Any, Any]

STEPS = 24
SMOOTH_MM = 4.0  # standard deviation; patches of four voxels leave a grid in the gradients


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each part raises the score (+) or lowers it (-) against the mean training subject, in units of it.

    maps: (x, y, z) float32 of "mri" and "pet" that are there, smoothed; they keep their sum. values: of each clinical
    value, 0 where it is missing. base, score: those of the mean and of the subject.
    """

    maps: dict[str, Array]
    values: Array
    base: float
    score: float

    @property
    def shares(self) -> dict[str, float]:
        """The sum of each part."""
        sums = {name: float(of.sum(dtype=np.float64)) for name, of in self.maps.items()}
        return {**sums, "clinical": float(self.values.sum())}


def attribute(
    answerer: Answerer, volumes: Pair, clinical: Array, control: JobControl | None = None, steps: int = STEPS
) -> Attribution:
    """Of one subject: volumes as (MRI, PET) on the model's grid, clinical (values,) in the plan's units."""
    control = control or JobControl()
    images, values = answerer.inputs(volumes, clinical)
    present = torch.tensor([[volume is not None for volume in volumes]], device=images.device)
    network = answerer.network
    totals = torch.zeros_like(images), torch.zeros_like(values)
    with torch.enable_grad():
        for step in range(steps):
            control.progress(step / steps, "What speaks for the score")
            share = (step + 0.5) / steps
            # Copies: what came out of inference cannot be differentiated.
            image = (share * images).clone().requires_grad_(True)
            value = (share * values).clone().requires_grad_(True)
            score = network(image[:, :1], image[:, 1:], value, present).sum()
            # Without an image, or without values, the score does not hang on them at all.
            grads = torch.autograd.grad(score, (image, value), allow_unused=True)
            for total, grad in zip(totals, grads, strict=True):
                if grad is not None:
                    total += grad.nan_to_num() / steps
    with torch.inference_mode():
        ends = [network(i[:, :1], i[:, 1:], v, present).item() for i, v in ((0 * images, 0 * values), (images, values))]
    parts = (totals[0] * images)[0].cpu().numpy()
    sigma = [SMOOTH_MM / mm for mm in answerer.plan.spacing_mm]
    maps: dict[str, Array] = {
        name: smoothed(parts[place], sigma)
        for place, name in enumerate(MODALITIES[:2])
        if volumes[place] is not None
    }  # fmt: skip
    found = (totals[1] * values.nan_to_num())[0].cpu().numpy()
    return Attribution(maps, found, base=ends[0], score=ends[1])


def smoothed(volume: Array, sigma: list[float]) -> Array:
    """Without losing anything over the borders: what would leave comes back in."""
    return np.asarray(gaussian_filter(volume.astype(np.float32), sigma, mode="reflect"))
