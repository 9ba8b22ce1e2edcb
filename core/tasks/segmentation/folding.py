"""A data set of scans dealt into the folds of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.catalog.groups import GroupRow
from core.control import JobControl
from core.data.dataset import Dataset
from core.data.folds import Folds, draw_folds
from core.data.plan import Plan
from core.data.split import Split, with_fewer_labels
from core.errors import DatasetError
from core.inference.start import of_task
from core.tasks.segmentation.preparing import checked, preparation
from core.training.given import Preparation
from core.training.planning import check_split, propose


@dataclass(frozen=True)
class ScanFolding:
    """See `core.training.given.Folding`; the plan is one for all folds."""

    experiment: Any
    dataset: Dataset
    drawn: Folds
    fixed: Plan

    @property
    def path(self) -> Path:
        return self.dataset.path

    @property
    def folds(self) -> list[list[str]]:
        return self.drawn.folds

    @property
    def test(self) -> list[str]:
        return self.drawn.test

    @property
    def plan(self) -> dict[str, Any]:
        return self.fixed.model_dump(mode="json")

    @property
    def fingerprint(self) -> str:
        return self.drawn.fingerprint(self.dataset)

    def preparation(self, fold: int) -> Preparation:
        data = self.experiment.data
        split = with_fewer_labels(self.dataset, self.drawn.split(fold), data.label_fraction, self.experiment.seed)
        return preparation(self.experiment, self.dataset, self.fixed, split)


def deal(experiment: Any, count: int, control: JobControl) -> ScanFolding:
    """Check the data, make the plan and draw the folds; data.test_fraction is kept out of all of them."""
    dataset = checked(experiment, control)
    dataset.require_usable()
    folds = draw_folds(dataset, count=count, test_fraction=experiment.data.test_fraction, seed=experiment.seed)
    proposal = propose(experiment, dataset, origin=of_task(experiment))
    for fold in range(count):
        try:
            # A structure that a fold's validation lacks still counts in the others'; one it cannot learn does not.
            split = folds.split(fold)
            check_split(dataset, Split(split.train, [], split.test), proposal.plan)
        except DatasetError as error:
            raise DatasetError(
                f"fold {fold}: {error.what}",
                where=dataset.path,
                mend="Add cases that have it, leave it out with task.target_label, or try another seed.",
            ) from None
    return ScanFolding(proposal.experiment, dataset, folds, proposal.plan)


def dealt(experiment: Any, group: GroupRow, control: JobControl) -> ScanFolding:
    """The folds of a group as they were drawn. Raises DatasetError where its data have changed."""
    dataset = checked(experiment, control)
    dataset.require_usable()
    folds = Folds(group.folds, group.test)
    gone = {id for part in [*group.folds, group.test] for id in part} - dataset.facts.keys()
    if gone or folds.fingerprint(dataset) != group.fingerprint:
        what = f"{min(gone)} is gone" if gone else "images have changed"
        raise DatasetError(
            f"the data are not those that the folds were drawn from ({what})",
            where=dataset.path,
            mend="Put them back, or begin a new cross-validation.",
        )
    return ScanFolding(experiment, dataset, folds, Plan.model_validate(group.plan))
