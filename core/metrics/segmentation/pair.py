"""What is compared, and the list of metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from core.registry import import_all

Array = np.ndarray[Any, Any]
Measure = Callable[["Pair"], float]
Kind = Literal["similarity", "distance", "plain"]


@dataclass(frozen=True, eq=False)
class Pair:
    """The truth's and the prediction's mask of one structure: bool arrays of equal shape.

    spacing_mm: size of a voxel along each axis. tolerance_mm: how far apart surfaces may lie and still agree.
    """

    truth: Array
    prediction: Array
    spacing_mm: tuple[float, ...]
    tolerance_mm: float = 1.0

    @cached_property
    def has_truth(self) -> bool:
        return bool(self.truth.any())

    @cached_property
    def has_prediction(self) -> bool:
        return bool(self.prediction.any())

    @property
    def missed(self) -> bool:
        return self.has_truth and not self.has_prediction

    @property
    def false_alarm(self) -> bool:
        return self.has_prediction and not self.has_truth

    @property
    def diagonal_mm(self) -> float:
        """Between the outermost voxels' centres: no two voxels lie farther apart."""
        return float(np.linalg.norm([(n - 1) * s for n, s in zip(self.truth.shape, self.spacing_mm, strict=True)]))

    @cached_property
    def surfaces(self) -> Any:
        """The distances between the two surfaces; both masks must hold something."""
        from core.metrics.surfaces import measure_surfaces

        return measure_surfaces(self.truth, self.prediction, self.spacing_mm)


@dataclass(frozen=True)
class Metric:
    """A registered metric. `kind` rules what it is where a mask is empty, see the package's table."""

    name: str
    title: str
    kind: Kind
    unit: str
    measure: Measure

    def __call__(self, pair: Pair) -> float:
        if self.kind == "plain" or (pair.has_truth and pair.has_prediction):
            return float(self.measure(pair))
        if pair.has_truth or pair.has_prediction:
            return self.worst(pair)
        return 1.0 if self.kind == "similarity" else 0.0

    def worst(self, pair: Pair) -> float:
        """The value of a case that could not be predicted at all."""
        if self.kind == "plain":
            return float(self.measure(pair))
        return 0.0 if self.kind == "similarity" else pair.diagonal_mm


_metrics: dict[str, Metric] = {}


def register_metric(
    name: str, *, title: str, kind: Kind = "similarity", unit: str = ""
) -> Callable[[Measure], Measure]:
    """Decorator that makes a function of a `Pair` a metric that is reported under `name`."""

    def add(measure: Measure) -> Measure:
        known = _metrics.get(name)
        if known is not None and known.measure.__qualname__ != measure.__qualname__:
            raise ValueError(f"two metrics are named {name!r}")
        _metrics[name] = Metric(name, title, kind, unit, measure)
        return measure

    return add


def metrics() -> dict[str, Metric]:
    """All registered metrics by name, in the order of their files and functions."""
    import_all(__package__ or "")
    return dict(_metrics)
