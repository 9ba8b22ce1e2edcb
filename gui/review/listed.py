"""The evaluations of the catalog, read beside the window."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.control import JobControl

if TYPE_CHECKING:
    from core.catalog.evaluations import EvaluationRow


@dataclass(frozen=True)
class Listed:
    """All evaluations, newest first, and the metrics' titles by key, with whether a low value is the worse one."""

    rows: list[EvaluationRow]
    metrics: dict[str, tuple[str, bool]]


def read_evaluations(_control: JobControl) -> Listed:
    from core.catalog import Catalog
    from core.catalog.evaluations import evaluations
    from core.metrics.segmentation import metrics

    known = {
        key: (f"{one.title} ({one.unit})" if one.unit else one.title, one.kind != "distance")
        for key, one in metrics().items()
    }
    known["volume_error_ml"] = ("Volume error (mL)", False)
    with Catalog() as catalog:
        return Listed(evaluations(catalog), known)


def of_structures(row: EvaluationRow) -> bool:
    """Whether an evaluation is one of structures in scans, with masks to look at."""
    return "labels" in row.result


def words(row: EvaluationRow) -> str:
    """One line that tells an evaluation from the others."""
    part = {"test": "test part, ", "val": "validation part, ", "train": "training part, "}.get(row.split, "")
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.time))
    return f"{row.model} · {row.data.name}, {part}{len(row.cases)} cases · {when}"
