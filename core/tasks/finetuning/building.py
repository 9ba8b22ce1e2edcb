"""The network of a fine-tuning, made with random weights: of an experiment, or of a model's manifest."""

from __future__ import annotations

from typing import Any

from core.data.stays.coding import StayCoding
from core.models.nets.clinical import Clinical
from core.tasks.finetuning.boosting import empty_trees, ensembles_for
from core.tasks.finetuning.network import StayNetwork


def build(
    encoder: Any, head: Any, coding: StayCoding, outputs: int,
    *, members: int, shared: bool, ensembles: int, early: bool, clinical: bool,
) -> StayNetwork:  # fmt: skip
    """encoder, head: the parts' settings. ensembles: of trees; 0: none. What the rest means, see `StayNetwork`."""
    return StayNetwork(
        encoder.build(len(coding.variables), coding.static_width),
        lambda learned, plain: head.build(learned, plain, outputs),
        members,
        shared,
        empty_trees(ensembles, early) if ensembles else None,
        early,
        Clinical(coding) if clinical else None,
    )


def build_for(experiment: Any, coding: StayCoding, outputs: int) -> StayNetwork:
    """The network that an experiment asks for."""
    task = experiment.task
    return build(
        experiment.encoder, task.head, coding, outputs, members=task.members, shared=task.mode == "probe",
        ensembles=ensembles_for(task.members) if task.trees else 0, early=bool(task.truncate), clinical=task.clinical,
    )  # fmt: skip
