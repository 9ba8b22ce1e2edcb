"""What is fitted in a run on a table: its coded rows, a teacher's answers, and the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import RunRow
from core.control import JobControl
from core.data.tables.table import Table
from core.errors import DatasetError
from core.tasks.base import Session
from core.tasks.tabular.preparing import TablePlan, fingerprint, load_plan, load_split, read_inputs

Array = np.ndarray[Any, Any]


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where its table is gone or was changed."""
    from core.tasks.tabular.data import one_batch, train_blocks
    from core.tasks.tabular.module import TableModule

    plan, split = load_plan(run.folder), load_split(run.folder)
    table = read_inputs(Path(run.data_path), experiment.data, control)
    if fingerprint(table) != plan.rows_sha256:
        raise DatasetError(
            "the table was changed since the run was begun", where=run.data_path, mend="Begin a new run on it."
        )
    train = coded(plan, table, split["train"])
    val = coded(plan, table, split["val"])
    _add_lessons(experiment, plan, train, control)
    network = experiment.model.build(plan.coding.width, plan.coding.cardinalities, plan.outcome.outputs)
    module = TableModule(experiment, network, train, val, plan.outcome.outputs)
    return Session(module, train_blocks(len(train), experiment.trainer.batch_size, experiment.seed), one_batch())


def coded(plan: TablePlan, table: Table, rows: Array) -> Any:
    """The chosen rows of a table as the network's `Rows`."""
    from core.tasks.tabular.data import Rows

    part = table.take(rows)
    numbers, codes = plan.coding.encode(part)
    return Rows.of(numbers, codes, plan.outcome.codes(part[plan.outcome.column]))


def _add_lessons(experiment: Any, plan: TablePlan, train: Any, control: JobControl) -> None:
    """Give the training rows their weights and a teacher's probabilities, where the experiment asks for them."""
    import torch

    from core.tasks.tabular.teachers import make_teacher, teach

    task, classes = experiment.task, len(plan.outcome.classes)
    if not classes:
        return
    target = train.target.numpy()
    if task.balance_classes:
        counts = np.bincount(target, minlength=classes)
        weights = len(target) / (classes * np.maximum(counts, 1))
        train.weight = torch.as_tensor(weights[target], dtype=torch.float32)
    if task.distillation is not None:
        control.progress(None, f"Fitting the teacher ({task.distillation.teacher})")
        inputs = np.concatenate([train.numbers.numpy(), train.codes.numpy()], axis=1)
        teacher = make_teacher(task.distillation.teacher, experiment.seed)
        soft = teach(teacher, inputs, target, classes, folds=task.distillation.folds, seed=experiment.seed)
        train.soft = torch.as_tensor(soft, dtype=torch.float32)
