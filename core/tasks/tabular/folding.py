"""A table dealt into the folds of a cross-validation.

The fold is its run's test part: what stops the training, and what its temperature and threshold are fitted to, is a
validation part drawn from the other folds. So the figures of a fold are of rows that nothing was chosen by.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog.groups import GroupRow
from core.control import JobControl
from core.errors import ConfigError, DatasetError
from core.tasks.tabular.preparing import CheckedTable, fingerprint, preparation, usable
from core.tasks.tabular.splitting import deal as deal_rows
from core.tasks.tabular.splitting import draw, drawn
from core.training.given import Preparation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TableFolding:
    """See `core.training.given.Folding`; cases are the numbers of rows."""

    experiment: Any
    found: CheckedTable
    folds: list[list[str]]
    test: list[str]

    @property
    def path(self) -> Path:
        return self.found.path

    @property
    def plan(self) -> dict[str, Any]:
        return {"outcome": self.found.learned.model_dump(mode="json")}

    @property
    def fingerprint(self) -> str:
        parts = [fingerprint(self.found.table), *(sorted(map(int, ids)) for ids in [*self.folds, self.test])]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def preparation(self, fold: int) -> Preparation:
        kept_out = np.array([int(row) for ids in (self.folds[fold], self.test) for row in ids], np.int64)
        place = np.flatnonzero(~np.isin(self.found.rows, kept_out))
        strata, groups = self.found.strata, self.found.groups(self.experiment.data)
        data = self.experiment.data
        split = draw(
            len(place), None if strata is None else strata[place], None if groups is None else groups[place],
            data.val_fraction, 0.0, self.experiment.seed,
        )  # fmt: skip
        rows = {part: self.found.rows[place[index]] for part, index in split.items()}
        return preparation(
            self.experiment, self.found, {**rows, "test": np.array(sorted(map(int, self.folds[fold])), np.int64)}
        )


def deal(experiment: Any, count: int, control: JobControl) -> TableFolding:
    """Check the table and draw the folds; data.test_fraction is kept out of all of them."""
    found = usable(experiment, control)
    strata, groups = found.strata, found.groups(experiment.data)
    if strata is not None and int(np.bincount(strata).min()) < count:
        raise ConfigError(
            f"the rarest outcome is there {int(np.bincount(strata).min())} times, less than the {count} folds",
            mend="Choose fewer folds.",
        )
    held_out = drawn(strata, groups, len(found.rows), experiment.data.test_fraction, experiment.seed)
    place = np.flatnonzero(~held_out)
    fold = deal_rows(
        len(place), None if strata is None else strata[place], None if groups is None else groups[place], count,
        experiment.seed,
    )  # fmt: skip
    return TableFolding(
        experiment, found, [_names(found.rows[place[fold == number]]) for number in range(count)],
        _names(found.rows[held_out]),
    )  # fmt: skip


def dealt(experiment: Any, group: GroupRow, control: JobControl) -> TableFolding:
    """The folds of a group as they were drawn. Raises DatasetError where the table was changed."""
    folding = TableFolding(experiment, usable(experiment, control), group.folds, group.test)
    if folding.fingerprint != group.fingerprint:
        raise DatasetError(
            "the table is not the one that the folds were drawn from", where=folding.path,
            mend="Put it back, or begin a new cross-validation.",
        )  # fmt: skip
    return folding


def _names(rows: Array) -> list[str]:
    return [str(row) for row in rows.tolist()]
