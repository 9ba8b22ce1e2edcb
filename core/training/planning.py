"""Planning a run from a checked data set and this machine; and what cannot work, before it is tried."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core import registry
from core.data.case import CheckedCases
from core.data.dataset import Dataset
from core.data.fingerprint import Fingerprint, fingerprint
from core.data.plan import IGNORED, Label, Plan
from core.data.prepare import resampled_shape
from core.data.regions import regions
from core.data.split import Split
from core.errors import ConfigError, DatasetError
from core.models import slicing
from core.models.costs import Cost, cost_of
from core.training import choices, costs
from core.training.machine import Machine, this_machine
from core.training.origin import Origin, taken_over

Chosen = tuple[Any, str]


@dataclass(frozen=True)
class Choice:
    """One value of the plan, where it stands in the experiment, and why it was chosen."""

    key: str
    title: str
    value: Any
    reason: str
    by_user: bool

    @property
    def text(self) -> str:
        return choices.text_of(self.value)


@dataclass(frozen=True)
class Proposal:
    """The experiment with everything that was left empty filled in, its plan, and the reasons."""

    experiment: Any
    plan: Plan
    choices: tuple[Choice, ...]
    found: Fingerprint
    machine: Machine

    def reasons(self) -> str:
        """What was chosen and why, as comments above a plan in YAML."""
        lines = [f"# {c.key}: {c.text}. {'Set by you.' if c.by_user else c.reason}" for c in self.choices]
        return "\n".join([f"# Planned for {self.found.cases} cases on {self.machine.summary()}.", *lines, ""])


def propose(
    experiment: Any, dataset: CheckedCases, machine: Machine | None = None, *, labelled: bool = True,
    origin: Origin | None = None,
) -> Proposal:  # fmt: skip
    """Choose what the experiment leaves empty, by the data and this machine. What it sets itself always holds.

    labelled: whether structures are learned; without it the plan has none. origin: what it starts from.
    Raises ConfigError where the experiment asks for what the data or the machine cannot give.
    """
    machine = machine or this_machine(experiment.trainer.device, experiment.trainer.threads)
    return _Planner(experiment, dataset, machine, labelled, origin).proposal()


class _Planner:
    """Goes from one choice to the next; each may rest on those before."""

    def __init__(
        self, experiment: Any, dataset: CheckedCases, machine: Machine, labelled: bool, origin: Origin | None
    ) -> None:  # fmt: skip
        self.origin, self.taken = origin, taken_over(experiment, origin)
        self.experiment, self.dataset, self.machine, self.labelled = experiment, dataset, machine, labelled
        self.found = fingerprint(dataset)
        self.minutes = float(experiment.trainer.max_minutes)
        self.made: list[Choice] = []

    def choose(self, key: str, rule: Callable[[], Chosen]) -> Any:
        """The experiment's own value of a key, or what the rule gives."""
        block, name = key.split(".")
        part = getattr(self.experiment, block)
        value, by_user = getattr(part, name), True
        reason = "Set by you."
        if value is None:
            if key in self.taken and self.origin is not None:
                value, reason, by_user = self.taken[key], f"As {self.origin.title} has it.", False
            else:
                (value, reason), by_user = rule(), False
            filled = part.model_copy(update={name: value})
            self.experiment = self.experiment.model_copy(update={block: filled})
        title = type(part).model_fields[name].title or name
        self.made.append(Choice(key, title, value, reason, by_user))
        return value

    def proposal(self) -> Proposal:
        found, machine = self.found, self.machine
        spacing = self.choose("data.spacing_mm", lambda: choices.spacing(found))
        several = len(self.dataset.channels) > 1
        scale = self.choose("data.intensities", lambda: choices.intensities(found, several=several))
        if several and scale == "ct":
            raise ConfigError(
                "data.intensities is ct, but a subject has several images, each of a scale of its own",
                mend="Leave it empty: each image is then standardised by itself.",
            )
        shapes = np.array(
            [resampled_shape(n, mm, spacing) for n, mm in zip(found.shapes, found.spacings_mm, strict=True)]
        )
        _check_grid(shapes, len(self.dataset.channels), machine)
        sides = tuple(float(n) for n in np.median(shapes, axis=0))
        flat = self._slices(shapes)
        if flat is None:
            apart = choices.thick(spacing) if self.experiment.model.name == "unet" else [False] * 3
            # An axis of thick slices does not limit how often the others are halved.
            fine = min(n for n, thick in zip(sides, apart, strict=True) if not thick)
            self._network(tuple(fine if thick else n for n, thick in zip(sides, apart, strict=True)), spacing)
            if any(apart):
                self._strides(spacing, sides)
            seen = sides
        else:
            others = min(n for axis, n in enumerate(sides) if axis != flat)
            self._network(tuple(others if axis == flat else n for axis, n in enumerate(sides)), spacing)
            seen = tuple(1.0 if axis == flat else n for axis, n in enumerate(sides))
        cost = cost_of(self.experiment.model)
        patch = self._patch(shapes, seen, spacing, cost)
        self._training(cost, patch, sides)
        smallest, largest = ((int(x), int(y), int(z)) for x, y, z in (shapes.min(axis=0), shapes.max(axis=0)))
        if scale == "ct" and found.intensities is None:
            raise ConfigError("data.intensities is ct, but the labelled voxels all have one value")
        labels = _labels(self.experiment, self.dataset) if self.labelled else []
        plan = Plan(
            spacing_mm=spacing,
            patch_size=patch,
            labels=labels,
            channels=len(self.dataset.channels),
            channel_names=list(self.dataset.channels) if len(self.dataset.channels) > 1 else [],
            smallest_voxels=_smallest(self.dataset, labels, spacing),
            modality=found.modality,
            shape_range=(smallest, largest),
            ignore_label=_ignored(self.experiment.task, self.dataset) if self.labelled else None,
            intensities=found.intensities if scale == "ct" else None,
        )
        weights = self.experiment.task.class_weights if self.labelled else None
        if weights is not None and len(weights) != plan.classes:
            raise ConfigError(
                f"task.class_weights has {len(weights)} values for {plan.classes} classes (background first)"
            )
        self._check_memory(cost, patch)
        return Proposal(self.experiment, plan, tuple(self.made), found, machine)

    def _slices(self, shapes: Any) -> int | None:
        """The axis whose slices the network sees one by one, where it should. Raises ConfigError where it cannot."""
        model = self.experiment.model
        few = choices.few_slices(shapes, self.experiment.data.patch_size)
        if slicing.SETTING not in type(model).model_fields:
            if few is not None:
                _check_single_slices(model, *few)
            return None
        if few is None and (model.slices or self.taken.get("model.slices")) is None:
            return None
        axis, what = few or (model.slices, "")
        chosen = axis, f"{what[:1].upper()}{what[1:]}, so the network sees slices one by one."
        return "xyz".index(self.choose("model.slices", lambda: chosen))

    def _strides(self, spacing: tuple[float, ...], sides: tuple[float, ...]) -> None:
        """The steps between a U-Net's resolutions, where they are not the same along all axes."""
        rule = choices.strides(spacing, sides, len(self.experiment.model.widths))
        if rule is not None and self.experiment.model.slices is None:
            self.choose("model.strides", lambda: rule)

    def _network(self, sides: tuple[float, ...], spacing: tuple[float, ...]) -> None:
        """The widths of a U-Net, chosen for about the patch that one of the usual size would be trained on."""
        model = self.experiment.model
        if "channels" not in type(model).model_fields:
            return
        wanted = self.experiment.data.patch_size
        if wanted is None:
            usual = model.model_copy(update={"channels": choices.USUAL_WIDTHS[self.machine.device]})
            limit = choices.patch_limit(cost_of(usual), 2, self.machine, self.minutes)
            wanted, _ = choices.patch(sides, spacing, 8, limit)
        levels = None if model.strides is None else len(model.strides) + 1
        self.choose("model.channels", lambda: choices.widths(wanted, sides, self.machine, self.minutes, levels))

    def _patch(
        self, shapes: Any, sides: tuple[float, ...], spacing: tuple[float, ...], cost: Cost
    ) -> tuple[int, int, int]:
        divisor = self.experiment.model.divisor
        limit = choices.patch_limit(cost, self.experiment.trainer.batch_size or 2, self.machine, self.minutes)
        patch: tuple[int, int, int] = self.choose(
            "data.patch_size", lambda: choices.patch(sides, spacing, divisor, limit)
        )
        if self.made[-1].by_user:
            _check_patch(patch, divisor, tuple(shapes.max(axis=0).tolist()))
        return patch

    def _training(self, cost: Cost, patch: tuple[int, int, int], sides: tuple[float, ...]) -> None:
        found, machine, data = self.found, self.machine, self.experiment.data
        training = found.cases * (1 - data.val_fraction - data.test_fraction)
        training = max(round(training * getattr(data, "label_fraction", 1.0)), 1)
        validating = max(round(found.cases * data.val_fraction), 1)
        devices = self.experiment.trainer.devices
        batch = self.choose(
            "trainer.batch_size",
            lambda: choices.shared(*choices.batch(cost, patch, sides, training, machine), devices),
        )
        each = self.choose("trainer.patches_per_case", lambda: choices.patches_per_case(training, batch))
        per_epoch = max(training * each // batch, 1)
        epochs = self.choose("trainer.epochs", lambda: choices.epochs(per_epoch, self.minutes))
        ratio = choices.validation_ratio(validating, sides, patch, training * each)
        self.choose("trainer.validate_every", lambda: choices.validate_every(ratio, epochs))
        at_hand = choices.steps_at_hand(costs.step_operations(cost, patch, batch), machine, self.minutes)
        self.choose("trainer.ema", lambda: choices.averaging(min(at_hand, epochs * per_epoch)))

    def _check_memory(self, cost: Cost, patch: tuple[int, int, int]) -> None:
        batch = self.experiment.trainer.batch_size
        on_one = batch if self.machine.device == "cpu" else math.ceil(batch / self.experiment.trainer.devices)
        needed = costs.step_bytes(cost, patch, on_one, self.machine.device)
        if needed > self.machine.memory:
            size = choices.text_of(patch)
            raise ConfigError(
                f"batches of {batch} patches of {size} need about {needed / 2**30:.0f} GB, more than the "
                f"{self.machine.memory / 2**30:.0f} GB there are",
                mend="Lower data.patch_size or trainer.batch_size, or leave them empty.",
            )


def _check_grid(shapes: Any, channels: int, machine: Machine) -> None:
    """Raise ConfigError for voxels so large that hardly any are left, or so small that a case does not fit."""
    least, most = shapes.max(axis=1).argmin(), np.prod(shapes, axis=1, dtype=float).argmax()
    smallest, largest = (" x ".join(str(int(n)) for n in shapes[at]) for at in (least, most))
    if shapes[least].max() < choices.LEAST_SIDE:
        raise ConfigError(
            f"at data.spacing_mm a case is {smallest} voxels, too few to learn from", mend="Choose smaller voxels."
        )
    needed = 4 * channels * float(np.prod(shapes[most], dtype=float))
    if machine.device == "cpu" and needed > machine.memory:
        raise ConfigError(
            f"at data.spacing_mm a case is {largest} voxels, which take {needed / 2**30:.0f} GB, more than the"
            f" {machine.memory / 2**30:.0f} GB there are",
            mend="Choose larger voxels.",
        )


def _check_single_slices(model: Any, axis: str, what: str) -> None:
    """Raise ConfigError for a network that halves an axis along which there is a single slice, or hardly more."""
    if int(np.broadcast_to(model.divisor, 3)["xyz".index(axis)]) > 1:
        able = [name for name, part in registry.parts("model").items() if slicing.SETTING in part.model_fields]
        raise ConfigError(
            f"{what}, and {model.name} sees volumes only",
            mend=f"Choose a model.name that sees slices one by one: {', '.join(able)}.",
        )


def _check_patch(patch: tuple[int, ...], divisor: int | tuple[int, ...], largest: tuple[int, ...]) -> None:
    text = " x ".join(map(str, patch))
    steps = [int(step) for step in np.broadcast_to(divisor, 3)]
    if any(p % step for p, step in zip(patch, steps, strict=True)):
        raise ConfigError(
            f"data.patch_size {text} does not fit the network, whose sides are multiples of {choices.text_of(divisor)}",
            mend="Change the patch, or give the network fewer resolutions.",
        )
    if max(steps) > 1 and list(patch) == steps:  # a normalisation over one voxel would leave nothing of it
        raise ConfigError(
            f"data.patch_size {text} leaves the network a single voxel at its coarsest resolution",
            mend="Enlarge the patch, or give the network fewer resolutions.",
        )
    most = [-(-n // step) * step for n, step in zip(largest, steps, strict=True)]
    if any(p > m for p, m in zip(patch, most, strict=True)):
        raise ConfigError(
            f"data.patch_size {text} is larger than every case; the largest sides are {' x '.join(map(str, largest))}",
            mend=f"Choose at most {' x '.join(map(str, most))}, or leave it empty.",
        )


def _smallest(dataset: CheckedCases, labels: list[Label], spacing_mm: tuple[float, ...]) -> int:
    """The least voxels of the network's grid that any structure takes in a case that has it."""
    voxel = float(np.prod(spacing_mm))
    found = [
        sum(fact.voxels.get(value, 0) for value in label.values) * float(np.prod(fact.spacing_mm)) / voxel
        for fact in dataset.facts.values()
        for label in labels
    ]
    return int(min((voxels for voxels in found if voxels > 0), default=0))


def _labels(experiment: Any, dataset: CheckedCases) -> list[Label]:
    """The structures to learn: those that some case has, without the ignored one."""
    names = experiment.data.label_names or {}
    there = {value for fact in dataset.facts.values() for value in fact.voxels}
    all_labels = [Label(value=label.value, name=names.get(label.value, label.name)) for label in dataset.labels]
    listed = ", ".join(f"{label.value} ({label.name})" for label in all_labels)
    labels = [label for label in all_labels if label.value in there]
    wanted, ignored = experiment.task.target_label, _ignored(experiment.task, dataset)
    for key, value in (("target_label", wanted), ("ignore_label", ignored)):
        if value is not None and value not in there:
            raise ConfigError(f"task.{key} is {value}, but the data set has {listed}")
    if found := _regions(experiment.task, dataset, listed):
        return found
    labels = [label for label in labels if label.value != ignored and wanted in (None, label.value)]
    if not labels:
        raise ConfigError(f"nothing is left to learn, since task.ignore_label is {ignored}")
    if len(labels) >= IGNORED:
        raise ConfigError(
            f"{len(labels)} structures are more than the {IGNORED - 1} that one network can learn",
            mend="Choose one with task.target_label, or join some labels.",
        )
    return labels


def _ignored(task: Any, dataset: CheckedCases) -> int | None:
    """The label value that is left out: the task's own, else the one that the data set calls "ignore", as nnU-Net."""
    there = {value for fact in dataset.facts.values() for value in fact.voxels}
    named = (label.value for label in dataset.labels if label.name == "ignore" and label.value in there)
    return next(named, None) if task.ignore_label is None else int(task.ignore_label)


def _regions(task: Any, dataset: CheckedCases, listed: str) -> list[Label]:
    """The regions to learn: the task's own, else those that the data set describes; an empty table asks for none."""
    if task.target_label is not None:
        return []
    found = list(dataset.regions) if task.regions is None else regions(task.regions)
    if not found:
        return []
    known = {label.value for label in dataset.labels}
    for region in found:
        if unknown := sorted(set(region.values) - known):
            raise ConfigError(f"the region {region.name} has the value {unknown[0]}, but the data set has {listed}")
        if (ignored := _ignored(task, dataset)) in region.values:
            raise ConfigError(f"the ignored label {ignored} is a part of the region {region.name}")
    if len({value for region in found for value in region.values}) >= IGNORED:
        raise ConfigError(f"the regions have more than the {IGNORED - 1} label values that one network can learn")
    if task.class_weights is not None or task.balance_classes:
        raise ConfigError(
            "classes cannot be weighed where regions are learned, since each region is answered by itself",
            mend="Leave task.class_weights empty and task.balance_classes off, or set task.regions to {}.",
        )
    if not hasattr(task.loss, "build_regions"):
        raise ConfigError(
            f"the loss {task.loss.name} cannot learn regions that overlap",
            mend="Choose another task.loss, such as dice_ce.",
        )
    return found


def check_split(dataset: Dataset, split: Split, plan: Plan) -> None:
    """Raise DatasetError where a structure is in no case of a part: it could not be learned, or not be measured."""
    said = {"train": "training", "val": "validation", "test": "test"}
    for part, ids in split.as_dict().items():
        for label in plan.labels:
            if ids and not any(set(label.values) & dataset.facts[id].voxels.keys() for id in ids):
                cases = "case has" if len(ids) == 1 else f"{len(ids)} cases have"
                values = "label " + " or ".join(map(str, label.values))
                raise DatasetError(
                    f"the {said[part]} part's {cases} no {label.name} ({values})",
                    where=dataset.path,
                    mend="Draw another split with seed, or change data.val_fraction and data.test_fraction.",
                )


def class_shares(dataset: Dataset, ids: list[str], plan: Plan) -> list[float]:
    """Each class's part of the voxels of some cases, background first, without the ignored ones; none is 0."""
    facts = [dataset.facts[id] for id in ids]
    counts = [sum(fact.voxels.get(label.value, 0) for fact in facts) for label in plan.labels]
    total = sum(int(np.prod(fact.shape)) - fact.voxels.get(plan.ignore_label or -1, 0) for fact in facts)
    counts = [total - sum(counts), *counts]
    return [max(count, 1) / max(total, 1) for count in counts]
