"""Cross-validations: groups of runs that share their data, settings and folds."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from core.catalog.catalog import Catalog
from core.catalog.database import plain, readable
from core.catalog.rows import RunRow, RunState
from core.errors import CatalogError


@dataclass(frozen=True)
class GroupRow:
    """A group of runs, one for each fold, counted from 0.

    folds: the case ids that each fold keeps for validation; test: those that no fold touches. fingerprint: equal
    where the cases' images and their folds are the same, so that two groups can be compared case by case.
    """

    id: str
    name: str
    created: float
    data_path: str
    config: str
    plan: dict[str, Any]
    folds: list[list[str]]
    test: list[str]
    fingerprint: str

    @property
    def size(self) -> int:
        return len(self.folds)


def add_group(
    catalog: Catalog, *, id: str, name: str, data_path: str, config: str, plan: dict[str, Any],
    folds: list[list[str]], test: list[str], fingerprint: str,
) -> None:  # fmt: skip
    """Record a group; its runs come later, each at its beginning."""
    catalog._insert(
        "run_groups",
        {
            "id": id, "name": name, "created": time.time(), "data_path": data_path, "config": config,
            "plan": json.dumps(plan), "folds": json.dumps({"folds": folds, "test": test}), "fingerprint": fingerprint,
        },
    )  # fmt: skip


def group(catalog: Catalog, id_or_name: str) -> GroupRow:
    """The group of that id, or the newest of that name. Raises CatalogError if there is none."""
    found = group_named(catalog, id_or_name, by_name=True)
    if found is None:
        raise CatalogError(
            f"there is no cross-validation {id_or_name!r}", mend="`isocenter runs folds` without a name lists them."
        )
    return found


def group_meant(catalog: Catalog, id_or_name: str) -> GroupRow | None:
    """The group that a person means: the one of that id, or of that name where no run is called so."""
    runs = {text for run in catalog.runs() for text in (run.id, run.name)}
    return group_named(catalog, id_or_name, by_name=id_or_name not in runs)


def group_named(catalog: Catalog, id_or_name: str, *, by_name: bool = False) -> GroupRow | None:
    """The group of that id (or, `by_name`, the newest of that name), or None."""
    rows = catalog._rows(
        "SELECT * FROM run_groups WHERE id = ? OR (? AND name = ?) ORDER BY id = ? DESC, created DESC LIMIT 1",
        [id_or_name, by_name, id_or_name, id_or_name],
    )
    return _group(rows[0]) if rows else None


def groups(catalog: Catalog) -> list[GroupRow]:
    """All groups that still have a run, newest first."""
    rows = catalog._rows("SELECT * FROM run_groups WHERE id IN (SELECT run_group FROM runs) ORDER BY created DESC")
    return readable(rows, _group, "cross-validation")


def runs_of(catalog: Catalog, group_id: str) -> dict[int, RunRow]:
    """The newest run of each fold that has one, by fold."""
    rows = [run for run in catalog.runs() if run.run_group == group_id and run.fold is not None]
    return {run.fold: run for run in sorted(rows, key=lambda run: (run.fold, run.created)) if run.fold is not None}


def state_of(size: int, runs: dict[int, RunRow]) -> RunState:
    """The state of a group as that of one run: it is finished when every fold is."""
    states = [run.state for run in runs.values()]
    for state in ("running", "paused", "queued"):
        if state in states:
            return state
    if states.count("finished") == size:
        return "finished"
    return "failed" if "failed" in states else "interrupted" if "interrupted" in states else "stopped"


def _group(row: dict[str, Any]) -> GroupRow:
    parts = plain(row["folds"])
    return GroupRow(**{**row, "plan": plain(row["plan"]), "folds": parts["folds"], "test": parts["test"]})
