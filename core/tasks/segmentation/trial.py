"""A short run of a segmentation for its estimate: the same network and patches on a few of the cases."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from core.data.cache import CaseCache, cache_folder
from core.data.dataset import Dataset
from core.data.plan import Plan
from core.data.prepare import resampled_shape
from core.data.split import Split
from core.inference.sliding import starts, window_size
from core.models.costs import cost_of
from core.tasks.segmentation.preparing import planned, preparation
from core.training import costs
from core.training.estimate import Trial

SECONDS = 10.0  # for all its steps
MOST_SECONDS = 30.0  # for all its training, where steps are slower than thought
STEPS = (8, 120)  # at least and at most
EPOCHS = (4, 24)
TRAINED, VOXELS = 6, 60_000_000  # cases to prepare, so many together
BYTES_PER_LABELLED = 6  # of each labelled voxel its place is kept, three numbers of 16 bits


def trial(experiment: Any, dataset: Dataset) -> Trial:
    """A run of some short epochs. Raises DatasetError or ConfigError where the experiment cannot work."""
    proposal, split = planned(experiment, dataset)
    whole, plan = proposal.experiment, proposal.plan
    sizes = {id: math.prod(_grid(dataset, id, plan)) for id in (*split.train, *split.val)}
    few = Split(_spread(split.train, sizes), _largest_and_middle(split.val, sizes), [])
    batch = whole.trainer.batch_size
    rough = costs.step_operations(cost_of(whole.model), plan.patch_size, batch) / proposal.machine.rate
    of_run = max(len(split.train) * whole.trainer.patches_per_case // batch, 1)
    epochs, steps = _epochs(min(max(math.ceil(SECONDS / rough), STEPS[0]), STEPS[1]), of_run)
    short = whole.trainer.model_copy(
        update={
            "epochs": epochs, "patches_per_case": max(round(steps * batch / len(few.train)), 1),
            "validate_every": epochs - 1,  # so that most epochs end without one, and the last but one with one
            "max_minutes": MOST_SECONDS / 60, "early_stopping": 0, "tensorboard": False, "debug": False,
        }
    )  # fmt: skip
    kept, taken = (_labelled(dataset, ids, plan) for ids in (split.train, few.train))

    def seen(ids: Sequence[str]) -> int:
        return sum(_seen(_grid(dataset, id, plan), plan, whole.model.divisor) for id in ids)

    return Trial(
        prepared=preparation(whole.model_copy(update={"trainer": short}), dataset, plan, few),
        experiment=whole,
        steps=of_run,
        cases=len(_cache(dataset, sizes, plan).missing()),
        validation=seen(split.val) / seen(few.val),
        more_bytes=round(BYTES_PER_LABELLED * (kept - taken)),
    )


def _epochs(steps: int, of_run: int) -> tuple[int, int]:
    """How many epochs a trial of so many steps has, and steps in each.

    An epoch is no longer than the run's, whose first batch is waited for and whose last ones are made beforehand.

    >>> _epochs(100, 9), _epochs(100, 400), _epochs(8, 400), _epochs(100, 1)
    ((12, 9), (4, 25), (4, 2), (24, 2))
    """
    each = max(min(of_run, math.ceil(steps / EPOCHS[0])), 2)
    return min(max(math.ceil(steps / each), EPOCHS[0]), EPOCHS[1]), each


def _cache(dataset: Dataset, ids: Collection[str], plan: Plan) -> CaseCache:
    """What is prepared already of the cases of a run."""
    folder = cache_folder(str(dataset.path), dataset.cases, plan)
    return CaseCache(folder, [case for case in dataset.cases if case.id in ids], plan)


def _grid(dataset: Dataset, id: str, plan: Plan) -> tuple[int, ...]:
    fact = dataset.facts[id]
    return resampled_shape(fact.shape, fact.spacing_mm, plan.spacing_mm)


def _seen(shape: Sequence[int], plan: Plan, divisor: int) -> int:
    """Voxels that the network sees in the validation of a case: where windows overlap, more than it has."""
    window = window_size(shape, plan.patch_size, divisor)
    return math.prod(window) * math.prod(len(starts(n, w)) for n, w in zip(shape, window, strict=True))


def _labelled(dataset: Dataset, ids: Sequence[str], plan: Plan) -> float:
    """Labelled voxels of some cases on the network's grid."""
    values = {label.value for label in plan.labels}
    total = 0.0
    for id in ids:
        fact = dataset.facts[id]
        scale = float(np.prod(fact.spacing_mm) / np.prod(plan.spacing_mm))
        total += scale * sum(count for value, count in fact.voxels.items() if value in values)
    return total


def _spread(ids: Sequence[str], sizes: dict[str, int]) -> list[str]:
    """Cases from small to large, so many that preparing them does not take long."""
    ordered = sorted(ids, key=lambda id: (sizes[id], id))
    middle = sizes[ordered[len(ordered) // 2]]
    count = min(TRAINED, max(VOXELS // middle, 1), len(ordered))
    return [ordered[int((place + 0.5) * len(ordered) / count)] for place in range(count)]


def _largest_and_middle(ids: Sequence[str], sizes: dict[str, int]) -> list[str]:
    """The largest case takes the most memory; with the middle one it tells the time of all."""
    ordered = sorted(ids, key=lambda id: (sizes[id], id))
    return list(dict.fromkeys([ordered[len(ordered) // 2], ordered[-1]]))
