"""What is fitted in a risk run: its subjects' volumes, the network, and the test at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core import world
from core.catalog import RunRow
from core.control import JobControl
from core.data.sharing import cases_of_this_process
from core.errors import DatasetError
from core.tasks.alzheimers.norms import write_norms
from core.tasks.alzheimers.plan import RiskPlan, fingerprint, load_plan, load_split
from core.tasks.alzheimers.preparing import cache_folder
from core.training.given import Session


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where its cohort is gone or was changed."""
    from core.tasks.alzheimers.data import RiskRows, Volumes, plain_loader, train_loader
    from core.tasks.alzheimers.module import RiskModule
    from core.tasks.alzheimers.starting import begin
    from core.tasks.alzheimers.testing import TestAtEnd

    plan, split = load_plan(run.folder), load_split(run.folder)
    cohort = cohort_of(run, experiment, plan, control)
    held = Volumes(cohort.subjects, plan, cache_folder())
    held.fill([*split["train"], *split["val"], *split["test"]], control)
    norms = held.norms(split["train"])
    if world.first():
        write_norms(run.folder, norms)
    train = RiskRows(cohort, plan, held, norms, experiment.data.augment, experiment.seed)
    plain = RiskRows(cohort, plan, held, norms)
    batch = experiment.trainer.batch_size
    mine = [int(row) for row in cases_of_this_process([str(row) for row in split["val"]])]
    callbacks: list[Any] = []
    if len(split["test"]):
        callbacks.append(TestAtEnd(run, plain_loader(plain, split["test"], batch)))
    module = RiskModule(experiment, plan)
    begin(module.network, experiment, run)
    return Session(
        module, train_loader(train, split["train"], experiment), plain_loader(plain, mine, batch),
        callbacks=callbacks, volumes=True, gpu_precision="16-mixed",
    )  # fmt: skip


def cohort_of(run: RunRow, experiment: Any, plan: RiskPlan, control: JobControl) -> Any:
    """The run's cohort, read again. Raises DatasetError where it is not the one the run was begun with."""
    from core.data.cohort.read import read_cohort

    cohort = read_cohort(Path(run.data_path), experiment.data, control)
    if fingerprint(cohort) != plan.cohort_sha256:
        raise DatasetError(
            "the cohort was changed since the run was begun", where=run.data_path, mend="Begin a new run on it."
        )
    return cohort
