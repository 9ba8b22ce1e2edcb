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
from core.errors import Cancelled, ConfigError, IsocenterError
from core.kept import kept_experiment
from core.training import tensorboard
from core.training.given import Folding
from core.training.launch import add_run, execute, new_id

log = logging.getLogger(__name__)
Started = Callable[[int, str], None]


@dataclass(frozen=True)
class CrossValidation:
    """A group with what its runs are made from. `prepare` begins one, `reopen` goes on with one."""

    group: GroupRow
    folding: Folding

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
        return add_run(self.folding.preparation(fold), run_group=self.group.id, fold=fold)


def prepare(experiment: Any, count: int, job: JobControl | None = None) -> CrossValidation:
    """Check the data, draw the folds (data.test_fraction is kept out of all of them) and record the group.

    Raises ConfigError or DatasetError before anything is written.
    """
    if not experiment.task.has_folds:
        raise ConfigError(f"{experiment.task.name} has no cross-validation yet", mend="Train a single run.")
    if experiment.trainer.tensorboard:
        tensorboard.require()
    folding = experiment.task.deal(experiment, count, job or JobControl())
    group_id = new_id(f"{experiment.name} {count} folds")
    with Catalog() as catalog:
        add_group(
            catalog, id=group_id, name=experiment.name, data_path=str(folding.path),
            config=config.to_yaml(folding.experiment), plan=folding.plan, folds=folding.folds, test=folding.test,
            fingerprint=folding.fingerprint,
        )  # fmt: skip
        return CrossValidation(group(catalog, group_id), folding)


def reopen(group_id_or_name: str, job: JobControl | None = None) -> CrossValidation:
    """A group to go on with. Raises CatalogError where there is none, DatasetError where its data have changed."""
    with Catalog() as catalog:
        row = group(catalog, group_id_or_name)
    experiment = kept_experiment(row)
    return CrossValidation(row, experiment.task.dealt(experiment, row, job or JobControl()))
