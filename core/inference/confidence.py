"""Confidence that is as high as it is right: the probability of each voxel's label at a fitted temperature.

Temperature scaling (Guo et al. 2017, arXiv 1706.04599) of the log-odds that a voxel's label is right. Only the
probability of the label that was chosen is changed, after it was chosen: label maps stay as they are.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from core.registry import Part

Array = np.ndarray[Any, Any]

Measured = Literal["val", "test", "folds"]
COLDEST, HOTTEST = 0.2, 5.0
CODE = "calibrated"  # of the finding that says so beside a prediction


class Calibration(Part):
    """How a package's confidence was calibrated, in its manifest.

    fitted_on: the part of the split, or the folds of a cross-validation, each case answered by the one network of the
    ensemble that had not seen it. The mean of the networks is less sure than one of them and no less right, so at such
    a temperature an ensemble's confidence is rather too low than too high.
    error_before, error_after: expected calibration error over voxels in and around the structures, on `cases` cases of
    a part of the split that the temperature was not fitted to (with `halves`: each half at the other's temperature).
    """

    temperature: float = Field(ge=COLDEST, le=HOTTEST)
    fitted_on: Measured = "val"
    fitted_cases: int = Field(ge=1)
    measured_on: Measured = "val"
    cases: int = Field(ge=1)
    halves: bool = False
    error_before: float = Field(ge=0, le=1)
    error_after: float = Field(ge=0, le=1)

    @property
    def text(self) -> str:
        """One sentence for a prediction's record."""
        whose = "that of its networks, each by itself," if self.fitted_on == "folds" else "it"
        return (
            f"Confidence is calibrated: near the structures {whose} differs from the share of right voxels by"
            f" {100 * self.error_after:.1f} % on average ({100 * self.error_before:.1f} % before)."
        )


def calibrated(certainty: Array, calibration: Calibration | None) -> Array:
    """The probability of each voxel's label, calibrated; 0, where a model did not look, stays 0. float32.

    >>> half = Calibration(temperature=2.0, fitted_cases=1, cases=1, error_before=0.1, error_after=0.0)
    >>> calibrated(np.array([0.0, 0.5, 0.9, 1.0]), half).round(2).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    if calibration is None or calibration.temperature == 1.0:
        return certainty
    held = certainty.astype(np.float32)
    with np.errstate(divide="ignore"):
        odds_against = ((1 - held) / held) ** np.float32(1 / calibration.temperature)
    found: Array = np.where(held > 0, 1 / (1 + odds_against), 0).astype(np.float32)
    return found
