"""The uncertainty map of a prediction: 1 - the probability of the label that each voxel was given.

It is 0 where the model is sure. With mirroring or several networks the probabilities are their mean, so the map holds
their disagreement. Where the package's confidence is calibrated (core.inference.confidence), so is the map: of voxels
at 0.3 near the structures about 30 % are wrong, on scans like the training ones. Where it is not, it only shows where
to look first; and a model that is sure can be wrong. Where the model did not look (a whole head outside its regions)
it is 0.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.imaging.volume import Volume
from core.imaging.writer import write_volume

Array = np.ndarray[Any, Any]

STEPS = 255


def uncertainty_of(certainty: Array) -> Array:
    """From the probability of the chosen class, 0 where the model did not look: uint8 in steps of 1 / STEPS."""
    return np.where(certainty > 0, np.rint((1 - np.clip(certainty, 0, 1)) * STEPS), 0).astype(np.uint8)


def uncertainty_beside(segmentation: Path) -> Path:
    """Where the uncertainty map of a segmentation lies.

    >>> uncertainty_beside(Path("a_seg.nii.gz")).name
    'a_uncertainty.nii.gz'
    """
    stem = segmentation.name.removesuffix(".gz").removesuffix(".nii").removesuffix("_seg")
    return segmentation.with_name(f"{stem}_uncertainty.nii.gz")


def write_uncertainty(
    segmentation: Path, certainty: Array, like: Volume, made_by: str, control: JobControl | None = None
) -> Path:
    """Write the map beside its segmentation, on the scan's own grid, and return its path.

    Raises IsocenterError where it cannot be written.
    """
    path = uncertainty_beside(segmentation)
    scaled = replace(like, voxels=uncertainty_of(certainty), slope=1 / STEPS, intercept=0.0)
    write_volume(path, scaled, description=f"{made_by}: 1 - probability", control=control)
    return path
