"""Evaluations in the catalog: how a run or a model did on labelled cases, and where each case's files are."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.catalog.catalog import Catalog
from core.catalog.database import plain, readable
from core.catalog.trash import row_from_trash, row_to_trash
from core.errors import CatalogError


@dataclass(frozen=True)
class CaseFiles:
    """A case's scan and truth, and what the model found in it (None where it refused the scan)."""

    image: Path
    label: Path
    prediction: Path | None


@dataclass(frozen=True)
class EvaluationRow:
    """One evaluation. `result` is what `core.inference.evaluate` answers; `files` are by case.

    model: name and version, or a run's name. run: the run's id where it was a run, else "". split: "" for all cases.
    """

    id: int
    model: str
    run: str
    data: Path
    split: str
    result: dict[str, Any]
    files: dict[str, CaseFiles]
    seconds: float
    time: float

    @property
    def cases(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.result["cases"]
        return rows


def add_evaluation(
    catalog: Catalog, *, model: str, run: str, data: Path, split: str, result: Mapping[str, Any],
    files: Mapping[str, CaseFiles], seconds: float,
) -> int:  # fmt: skip
    """Record an evaluation and return its id."""
    named = {
        case: {"image": str(f.image), "label": str(f.label), "prediction": str(f.prediction) if f.prediction else None}
        for case, f in files.items()
    }
    return catalog._insert(
        "evaluations",
        {
            "model": model, "run": run, "data": str(data), "split": split, "result": json.dumps(result),
            "files": json.dumps(named), "seconds": seconds, "time": time.time(),
        },
    )  # fmt: skip


def evaluations(catalog: Catalog) -> list[EvaluationRow]:
    """All evaluations, newest first."""
    return readable(catalog._rows("SELECT * FROM evaluations ORDER BY id DESC"), _row, "evaluation")


def evaluation(catalog: Catalog, id: int) -> EvaluationRow:
    """Raises CatalogError if there is none of that id."""
    rows = catalog._rows("SELECT * FROM evaluations WHERE id = ?", [id])
    if not rows:
        raise CatalogError(f"there is no evaluation {id}")
    return _row(rows[0])


def to_trash(catalog: Catalog, id: int) -> str:
    """Take an evaluation out of the catalog; its row, and the predictions that no other one shows, wait in the trash.

    Returns its name there. Older trash than a month is removed.
    """
    gone = evaluation(catalog, id)
    kept = {files.prediction for other in evaluations(catalog) if other.id != id for files in other.files.values()}
    own = {files.prediction for files in gone.files.values() if files.prediction is not None} - kept
    return row_to_trash(catalog, "evaluations", id, own)


def from_trash(catalog: Catalog, name: str) -> int:
    """Put a deleted evaluation back, with its predictions. Returns its id: its own, or where that is taken a new one.

    Raises CatalogError if the trash does not hold it.
    """
    return row_from_trash(catalog, "evaluations", name)


def _row(row: dict[str, Any]) -> EvaluationRow:
    files = {
        case: CaseFiles(Path(f["image"]), Path(f["label"]), Path(f["prediction"]) if f["prediction"] else None)
        for case, f in plain(row["files"]).items()
    }
    changed = {"data": Path(row["data"]), "result": plain(row["result"]), "files": files}
    return EvaluationRow(**{**row, **changed})
