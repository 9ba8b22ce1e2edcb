"""What is fitted in a fine-tuning: labelled stays on their grid, the encoder with its head, and the test at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core import world
from core.catalog import RunRow
from core.control import JobControl
from core.data.stays.grid import grid
from core.tasks.finetuning.predicting import TRAINED
from core.tasks.finetuning.preparing import every_stay, load_target
from core.tasks.pretraining.encoders import SEEN_FILE, fill, keep_marks, origin_of
from core.tasks.pretraining.preparing import load_coding, load_split, rows_of
from core.training.given import Session


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where stays of it are gone."""
    from core.data.stays.batches import StayRows, plain_loader, train_loader
    from core.tasks.finetuning.boosting import fit_trees
    from core.tasks.finetuning.building import build_for
    from core.tasks.finetuning.module import FinetuningModule, class_weights, sampling
    from core.tasks.finetuning.testing import TestAtEnd

    coding, split, target = load_coding(run.folder), load_split(run.folder), load_target(run.folder)
    path = Path(run.data_path)
    stays, outcomes = every_stay(experiment, path, control)
    control.progress(None, "Laying the stays on a grid")
    rows, values, marks = {}, {}, {}
    for part, wanted in split.items():
        if not wanted:
            continue
        mine = stays.take(rows_of(stays, wanted, path))
        values[part], _ = target.of(outcomes, mine.ids)
        rows[part] = StayRows(coding, grid(coding, mine), values[part])
        marks[part] = mine.fingerprints()
    task, settings = experiment.task, experiment.trainer
    network = build_for(experiment, coding, target.outputs)
    seen = np.concatenate([marks["train"], marks["val"]])
    if experiment.encoder.checkpoint and run.epoch == 0:
        origin = origin_of(experiment.encoder.checkpoint)
        for encoder in network.encoders:
            fill(encoder, origin)
        if origin.seen is not None:
            seen = np.concatenate([seen, origin.seen])
    if run.epoch == 0:
        control.progress(None, "Describing the training stays")
        whole = plain_loader(rows["train"], np.arange(len(rows["train"])))
        network.standardise(batch.stays for batch in whole)
        fit_trees(network, rows["train"], task, experiment.seed, control)
    if world.first() and run.epoch == 0:
        keep_marks(run.folder / SEEN_FILE, seen)
        keep_marks(run.folder / TRAINED, marks["train"])
    weights_by_class = class_weights(task, target, values["train"])
    module = FinetuningModule(experiment, network, target, weights_by_class, len(rows["train"]))
    weights = sampling(target, values["train"]) if task.balance == "sampling" else None
    batches = train_loader(rows["train"], np.arange(len(rows["train"])), settings.batch_size, experiment.seed, weights)
    callbacks: list[Any] = []
    if "test" in rows:
        callbacks.append(TestAtEnd(run, plain_loader(rows["test"], np.arange(len(rows["test"])))))
    return Session(module, batches, plain_loader(rows["val"], np.arange(len(rows["val"]))), callbacks)
