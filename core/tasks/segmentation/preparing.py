"""What a segmentation run is made of before it is trained: its data checked, its plan and its split fixed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import yaml

from core.control import JobControl
from core.data.dataset import Dataset, inspect
from core.data.plan import PLAN, Plan
from core.data.split import SPLIT, Split, draw, with_fewer_labels
from core.errors import ConfigError
from core.imaging.volume import Finding
from core.inference.start import of_task
from core.training.given import Preparation
from core.training.origin import SEEN, START, check_overlap, seen_text, start_text, unsure
from core.training.planning import Proposal, check_split, class_shares, propose

FINGERPRINT = "fingerprint.json"


def checked(experiment: Any, control: JobControl) -> Dataset:
    """The checked data set of an experiment. Raises ConfigError where none is chosen, DatasetError where none is."""
    if experiment.data.path is None:
        raise ConfigError("no data set is chosen", mend="Set data.path to a folder of images and labels.")
    return inspect(experiment.data.path.expanduser().absolute(), control)


def prepare(experiment: Any, control: JobControl) -> Preparation:
    """Check the data, then fix plan and split. Raises DatasetError or ConfigError where the experiment cannot work."""
    dataset = checked(experiment, control)
    proposal, split = planned(experiment, dataset)
    ready = preparation(proposal.experiment, dataset, proposal.plan, split)
    files = {**ready.files, FINGERPRINT: json.dumps(proposal.found.as_dict(), indent=1)}
    return replace(ready, files={**files, PLAN: proposal.reasons() + files[PLAN]})


def planned(experiment: Any, dataset: Dataset) -> tuple[Proposal, Split]:
    """The plan and the split of a checked data set. Raises DatasetError or ConfigError where they cannot work."""
    dataset.require_usable()
    proposal = propose(experiment, dataset, origin=of_task(experiment))
    data = experiment.data
    split = draw(dataset, val_fraction=data.val_fraction, test_fraction=data.test_fraction, seed=experiment.seed)
    split = with_fewer_labels(dataset, split, data.label_fraction, experiment.seed)
    check_split(dataset, split, proposal.plan)
    return proposal, split


def preparation(experiment: Any, dataset: Dataset, plan: Plan, split: Split) -> Preparation:
    """A run of a checked data set by a planned experiment.

    Raises ModelError where what it starts from does not fit, DatasetError where that has seen the test part.
    """
    begun, findings, remarks = _start(experiment, dataset, plan, split)
    if experiment.task.balance_classes:
        plan = plan.model_copy(update={"class_shares": class_shares(dataset, split.train, plan)})
    return Preparation(
        experiment=experiment,
        data_path=dataset.path,
        layout=dataset.layout,
        cases=len(dataset.cases),
        findings=[*dataset.findings, *findings],
        files={
            PLAN: yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False),
            SPLIT: json.dumps(split.as_dict(), indent=1),
            **begun,
        },
        remarks=[*_remarks(dataset, plan, split), *remarks],
    )


def _start(
    experiment: Any, dataset: Dataset, plan: Plan, split: Split
) -> tuple[dict[str, str], list[Finding], list[str]]:
    """What is written of the start and of the scans seen until the end, what was found, and what is said."""
    content = {id: dataset.facts[id].content for id in (*split.train, *split.val, *split.test)}
    seen = [content[id] for id in (*split.train, *split.val)]
    origin = of_task(experiment)
    if origin is None:
        return {SEEN: seen_text(seen)}, [], []
    from core.inference.start_weights import chosen, read_start, told

    overlap = check_overlap(origin, {id: content[id] for id in split.test}, allowed=experiment.task.allow_overlap)
    weights = chosen(origin, read_start(origin), experiment.model, plan.channels)
    files = {START: start_text(origin, overlap)} | ({SEEN: seen_text(seen, origin)} if origin.seen is not None else {})
    said = told(origin, weights, experiment.model, plan.channels)
    return files, [*overlap, *unsure(origin, plan)], [said]


def _remarks(dataset: Dataset, plan: Plan, split: Split) -> list[str]:
    patch, spacing = (" x ".join(f"{n:g}" for n in of) for of in (plan.patch_size, plan.spacing_mm))
    parts = ", ".join(f"{len(ids)} {part}" for part, ids in split.as_dict().items() if ids)
    names = ", ".join(label.name for label in plan.labels)
    return [f"{len(dataset.cases)} cases ({parts}) with {names}.", f"Patches of {patch} voxels at {spacing} mm."]
