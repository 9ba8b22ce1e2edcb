"""What may lie over a scan, on its own grid: a segmentation, and how unsure a model was. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
UNNAMED = (255, 255, 255)


@dataclass
class Overlay:
    """A segmentation over the scan. `labels` is on the scan's own grid; `structures` have "label" and "name".

    time: of a scan of several volumes the one it belongs to, counted from 0; None: all of them.
    """

    labels: Array
    structures: Sequence[dict[str, Any]]
    colours: dict[int, tuple[int, int, int]]
    name: str = "Segmentation"
    opacity: float = 0.55
    shown: bool = True
    hidden: set[int] = field(default_factory=set)
    time: int | None = None

    def name_of(self, label: int) -> str:
        return next((str(s["name"]) for s in self.structures if int(s["label"]) == label), f"label {label}")

    def colour_of(self, label: int) -> tuple[int, int, int]:
        return self.colours.get(label, UNNAMED)


@dataclass
class UncertaintyMap:
    """How unsure a model was of each voxel, over the scan: uint8 on its own grid, 255 being 1.

    highest: where the colour bar ends; more than that has the same colour. calibrated: whether 0.3 says that about
    30 % of such voxels are wrong.
    """

    steps: Array
    highest: float = 0.5
    shown: bool = False
    calibrated: bool = False
