"""Where a prediction and the truth of a case differ most."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def worst_place(truth: Array, prediction: Array) -> tuple[int, int, int] | None:
    """The voxel through which the three slices of largest disagreement run; None where the two agree.

    truth, prediction: label values of equal shape. Of the slices across each axis the one with most differing voxels
    is taken, then the differing voxel nearest to where the three meet.
    """
    differ = truth != prediction
    if not differ.any():
        return None
    meeting = [int(differ.sum(axis=tuple(a for a in range(3) if a != axis)).argmax()) for axis in range(3)]
    # A slice is chosen by the axis along which the differences are most crowded; the others go where they are in it.
    places = np.argwhere(differ)
    i, j, k = places[np.abs(places - meeting).sum(axis=1).argmin()]
    return int(i), int(j), int(k)
