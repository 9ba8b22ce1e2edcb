"""What is fitted in a pretraining: the stays on their grid, the objective around the encoder, and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core import world
from core.catalog import RunRow
from core.control import JobControl
from core.data.stays.coding import StayCoding
from core.data.stays.grid import grid
from core.data.stays.outcomes import numbers
from core.data.stays.read import chosen, read_stays
from core.data.stays.series import Stays
from core.errors import IsocenterError
from core.tasks.pretraining.encoders import SEEN_FILE, fill, keep_marks, origin_of
from core.tasks.pretraining.preparing import load_coding, load_split, outcomes_of, rows_of
from core.training.given import Session

Array = np.ndarray[Any, Any]


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where stays of it are gone."""
    from core.data.stays.batches import StayRows, plain_loader, train_loader
    from core.tasks.pretraining.keeping import KeepEncoder, Reconstructions
    from core.tasks.pretraining.module import PretrainingModule

    coding, split = load_coding(run.folder), load_split(run.folder)
    path = Path(run.data_path)
    stays = chosen(read_stays(path, control), experiment.data.parts)
    train, val = (stays.take(rows_of(stays, split[part], path)) for part in ("train", "val"))
    control.progress(None, "Laying the stays on a grid")
    outcome = [_outcome(experiment, path, part) for part in (train, val)]
    train_rows, val_rows = (
        StayRows(coding, grid(coding, part), target) for part, target in zip((train, val), outcome, strict=True)
    )
    if world.first():
        keep_marks(run.folder / SEEN_FILE, np.concatenate([train.fingerprints(), val.fingerprints()]))
    settings = experiment.trainer
    labelled = np.flatnonzero(outcome[0] >= 0)
    network = build(experiment, coding)
    module = PretrainingModule(
        experiment, network, plain_loader(train_rows, labelled[:4000]) if len(labelled) >= 20 else None
    )
    callbacks: list[Any] = [KeepEncoder(run)]
    if len(val_rows):
        callbacks.append(Reconstructions(run.folder, coding, val_rows, val.ids))
    return Session(
        module, train_loader(train_rows, np.arange(len(train_rows)), settings.batch_size, experiment.seed),
        plain_loader(val_rows, np.arange(len(val_rows))), callbacks,
    )  # fmt: skip


def build(experiment: Any, coding: StayCoding) -> Any:
    """The objective's network around the encoder, with the weights that the experiment begins with."""
    encoder = experiment.encoder.build(len(coding.variables), coding.static_width)
    if experiment.encoder.checkpoint:
        fill(encoder, origin_of(experiment.encoder.checkpoint))
    return experiment.ssl.build(encoder, len(coding.variables))


def _outcome(experiment: Any, path: Path, stays: Stays) -> Array:
    """The probed outcome of stays as 0 and 1, -1 where it is not known."""
    try:
        cells = outcomes_of(experiment.data, path).of(stays.ids, experiment.task.probe_outcome)
    except IsocenterError:
        cells = [None] * len(stays)  # the probe is a curve more, no reason to stop
    found = numbers(cells)
    return np.where(np.isin(found, (0, 1)), found, -1).astype(np.float32)
