"""A subject's MRI and PET on a model's grid, kept in a folder so that they are made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.cohort.subject import Grid, Subject

Array = np.ndarray[Any, Any]


def volumes(subject: Subject, grid: Grid, control: JobControl, cache_folder: Path) -> tuple[Array | None, Array | None]:
    """A subject's MRI and PET, each (x, y, z) float32 on the grid, or None where it is missing.

    MRI: zero mean and unit deviation inside the brain, 0 outside of it. PET: uptake relative to the reference region
    (SUVR), 0 outside of the brain. Raises UnreadableScan, RegistrationFailed.
    """
    raise NotImplementedError
