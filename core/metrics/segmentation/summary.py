"""From the figures of single cases to those of a data set: mean, spread, confidence interval, missed structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.metrics.intervals import bootstrap_mean
from core.metrics.segmentation.pair import Array, metrics


def summarise(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Means over cases, then over structures, and bootstrap intervals of the same keys.

    rows: per case, each metric's values by structure's name, `volume_error_ml`, `missed` and `false_alarms`.
    """
    figures: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}

    def add(key: str, values: Array) -> None:
        figures[f"test/{key}"] = float(values.mean())
        for name, column in zip(names, values.T, strict=True):
            figures[f"test/{key}/{name}"] = float(column.mean())
            figures[f"test/{key}_sd/{name}"] = float(column.std(ddof=1)) if len(rows) > 1 else 0.0
            if len(rows) > 1:
                intervals[f"test/{key}/{name}"] = bootstrap_mean(column)
        if len(rows) > 1:
            intervals[f"test/{key}"] = bootstrap_mean(values.mean(axis=1))

    for key in metrics():
        add(key, np.array([[row[key][name] for name in names] for row in rows]))
    add("volume_error_ml", np.abs([[row["volume_error_ml"][name] for name in names] for row in rows]))
    for key, field in (("n_missed", "missed"), ("n_false_alarms", "false_alarms")):
        figures |= {f"test/{key}/{name}": float(sum(name in row[field] for row in rows)) for name in names}
        figures[f"test/{key}"] = float(sum(len(row[field]) for row in rows))
    return figures, intervals
