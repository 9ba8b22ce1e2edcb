"""What is fitted in a run on a table: its coded rows, a teacher's answers, and the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.data.tables.table import let_go
from core.errors import DatasetError
from core.tasks.tabular.preparing import fingerprint, load_plan, load_split, read_inputs, subjects
from core.tasks.tabular.searching import searched
from core.training.given import Session


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where its table is gone or was changed."""
    from core.tasks.tabular.data import Rows, one_batch, train_blocks
    from core.tasks.tabular.module import TableModule
    from core.tasks.tabular.taught import training_rows

    plan, split = load_plan(run.folder), load_split(run.folder)
    table = read_inputs(Path(run.data_path), experiment.data, control)
    if fingerprint(table) != plan.rows_sha256:
        raise DatasetError(
            "the table was changed since the run was begun", where=run.data_path, mend="Begin a new run on it."
        )
    experiment = searched(
        experiment, run, plan, table, np.sort(np.concatenate([split["train"], split["val"]])), control
    )
    groups = None if experiment.data.group is None else subjects(table[experiment.data.group].take(split["train"]))
    numbers, codes, target = plan.encode(table, split["train"])
    train = training_rows(
        experiment.task, numbers, codes, target, len(plan.outcome.classes), plan.coding, seed=experiment.seed,
        groups=groups, control=control,
    )  # fmt: skip
    val = Rows.of(*plan.encode(table, split["val"]))
    columns = dict(table.columns)
    del table
    let_go(columns)
    network = experiment.model.build(plan.coding.width, plan.coding.cardinalities, plan.outcome.outputs)
    module = TableModule(experiment, network, train, val, plan.outcome.outputs)
    if experiment.trainer.find_lr:
        module.experiment = _with_found_rate(module, run, control)
    return Session(module, train_blocks(len(train), experiment.trainer.batch_size, experiment.seed), one_batch())


def _with_found_rate(module: Any, run: RunRow, control: JobControl) -> Any:
    """The module's experiment at the rate that was found when the run was begun, or is found now."""
    from core.tasks.tabular.lr_finder import find_rate, load_curve, save_curve

    experiment = module.experiment
    curve = load_curve(run.folder)
    if curve is None:
        curve = find_rate(module, experiment.trainer.batch_size, experiment.seed, control)
        save_curve(curve, run.folder)
        rate = curve.chosen or experiment.optimizer.lr
        how = "where the loss falls fastest" if curve.chosen else "as set, since the loss falls at no rate"
        with Catalog() as catalog:
            catalog.add_event(run.id, "info", f"The learning rate is {rate:.2g}, {how}.")
    if curve.chosen is None:
        return experiment
    optimizer = experiment.optimizer.model_copy(update={"lr": curve.chosen})
    return experiment.model_copy(update={"optimizer": optimizer})
