"""Cross-validation: one run for each fold, one after another, as a group that can be stopped and gone on with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from core import config
from core.catalog import Catalog, RunRow
from core.catalog.groups import GroupRow, add_group, group, runs_of
from core.control import JobControl
from core.data.dataset import Dataset
from core.data.folds import Folds, draw_folds
from core.data.plan import Plan
from core.data.split import Split, with_fewer_labels
from core.errors import Cancelled, ConfigError, DatasetError, IsocenterError
from core.tasks.segmentation.preparing import checked, preparation
from core.training import tensorboard
from core.training.launch import add_run, execute, new_id
from core.training.planning import check_split, propose

log = logging.getLogger(__name__)
Started = Callable[[int, str], None]


@dataclass(frozen=True)
class CrossValidation:
    """A group with what its runs are made from. `prepare` begins one, `reopen` goes on with one."""

    group: GroupRow
    experiment: Any
    dataset: Dataset

    def train(
        self, only: Iterable[int] | None = None, *, started: Started = lambda fold, run_id: None,
        beside_window: bool = False, job: JobControl | None = None,
    ) -> dict[int, RunRow]:  # fmt: skip
        """Train the folds that are not finished, or those of them in `only`; returns the newest run of each fold.

        `started(fold, run id)` is called as each begins. A fold that fails is recorded and does not keep the others
        from being trained; one that is stopped or discarded ends the group, which can be gone on with. Raises
        ConfigError for a fold there is not, or one that is being trained already.
        """
        job = job or JobControl()
        chosen = self._chosen(only)
        for done, fold in enumerate(chosen):
            job.check()
            with Catalog() as catalog:
                known = runs_of(catalog, self.group.id).get(fold)
            if known is not None and known.state == "finished":
                continue
            run_id = known.id if known is not None else self._add(fold)
            started(fold, run_id)
            naming = job.naming(f"Fold {fold} ({done + 1} of {len(chosen)})", done / len(chosen))
            try:
                run = execute(run_id, resume=known is not None, beside_window=beside_window, job=naming)
            except Cancelled:
                raise
            except Exception as error:
                if not isinstance(error, IsocenterError):
                    log.exception("Fold %d of %s failed", fold, self.group.name)
                log.warning("Fold %d failed: %s", fold, error)
                continue
            if run.state != "finished":
                break
        with Catalog() as catalog:
            return runs_of(catalog, self.group.id)

    def _chosen(self, only: Iterable[int] | None) -> list[int]:
        chosen = sorted(set(range(self.group.size) if only is None else only))
        wrong = [fold for fold in chosen if not 0 <= fold < self.group.size]
        if wrong or not chosen:
            what = f"there is no fold {wrong[0]}" if wrong else "no fold is chosen"
            raise ConfigError(what, mend=f"The folds are 0 to {self.group.size - 1}.")
        with Catalog() as catalog:
            live = [run for run in runs_of(catalog, self.group.id).values() if run.live]
        if live:
            raise ConfigError(f"fold {live[0].fold} is {live[0].state} already", where=self.group.id)
        return chosen

    def _add(self, fold: int) -> str:
        split = Folds(self.group.folds, self.group.test).split(fold)
        split = with_fewer_labels(self.dataset, split, self.experiment.data.label_fraction, self.experiment.seed)
        plan = Plan.model_validate(self.group.plan)
        ready = preparation(self.experiment, self.dataset, plan, split)
        return add_run(ready, run_group=self.group.id, fold=fold)


def prepare(experiment: Any, count: int, job: JobControl | None = None) -> CrossValidation:
    """Check the data, draw the folds (data.test_fraction is kept out of all of them) and record the group.

    Raises ConfigError or DatasetError before anything is written.
    """
    if experiment.task.name != "segmentation":
        raise ConfigError(f"{experiment.task.name} has no cross-validation yet", mend="Use the task segmentation.")
    if experiment.trainer.tensorboard:
        tensorboard.require()
    dataset = checked(experiment, job or JobControl())
    dataset.require_usable()
    folds = draw_folds(dataset, count=count, test_fraction=experiment.data.test_fraction, seed=experiment.seed)
    proposal = propose(experiment, dataset)
    experiment, plan = proposal.experiment, proposal.plan
    for fold in range(count):
        try:
            # A structure that a fold's validation lacks still counts in the others'; one it cannot learn does not.
            split = folds.split(fold)
            check_split(dataset, Split(split.train, [], split.test), plan)
        except DatasetError as error:
            raise DatasetError(
                f"fold {fold}: {error.what}",
                where=dataset.path,
                mend="Add cases that have it, leave it out with task.target_label, or try another seed.",
            ) from None
    group_id = new_id(f"{experiment.name} {count} folds")
    with Catalog() as catalog:
        add_group(
            catalog, id=group_id, name=experiment.name, data_path=str(dataset.path), config=config.to_yaml(experiment),
            plan=plan.model_dump(mode="json"), folds=folds.folds, test=folds.test,
            fingerprint=folds.fingerprint(dataset),
        )  # fmt: skip
        return CrossValidation(group(catalog, group_id), experiment, dataset)


def reopen(group_id_or_name: str, job: JobControl | None = None) -> CrossValidation:
    """A group to go on with. Raises CatalogError where there is none, DatasetError where its data have changed."""
    with Catalog() as catalog:
        row = group(catalog, group_id_or_name)
    experiment = config.parse(config.read_yaml(row.config), where=row.id)
    dataset = checked(experiment, job or JobControl())
    dataset.require_usable()
    folds = Folds(row.folds, row.test)
    gone = {id for part in [*row.folds, row.test] for id in part} - dataset.facts.keys()
    if gone or folds.fingerprint(dataset) != row.fingerprint:
        what = f"{min(gone)} is gone" if gone else "images have changed"
        raise DatasetError(
            f"the data are not those that the folds were drawn from ({what})",
            where=dataset.path,
            mend="Put them back, or begin a new cross-validation.",
        )
    return CrossValidation(row, experiment, dataset)
