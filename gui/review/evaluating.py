"""An evaluation of any task's run or model: measured by its kind, kept in the catalog."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from core.control import JobControl


def evaluate_any(run_or_model: str, data: Path, split: str, control: JobControl) -> int:
    """The id of a new evaluation. split: "" for all cases. Raises IsocenterError."""
    from core.catalog import Catalog, RunRow
    from core.catalog.evaluations import add_evaluation
    from core.inference.evaluate import evaluate
    from core.inference.kinds import meant

    found = meant(run_or_model)
    if found is None:
        return int(evaluate(run_or_model, data, control, split=split or "all")["id"])
    kind, model = found
    began = time.perf_counter()
    result: dict[str, Any] = kind.evaluate(model, data, split=split or None, control=control)
    if "id" in result:  # the kind keeps its evaluations itself
        return int(result["id"])
    is_run = isinstance(model, RunRow)
    with Catalog() as catalog:
        return add_evaluation(
            catalog, model=model.name if is_run else str(result["model"]), run=model.id if is_run else "",
            data=Path(data).absolute(), split=split, result=result, files={}, seconds=time.perf_counter() - began,
        )  # fmt: skip
