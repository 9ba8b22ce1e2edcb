"""What the system was asked to be, setting by setting in plain words, and where an experiment departs from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

FEATURES = 118
STAGES = [96, 192, 384, 768]
PATCHES = 14_520


@dataclass(frozen=True)
class Departure:
    """One value that is not the one asked for. requirement: what it is of, in words; key: in the experiment, or ""."""

    requirement: str
    key: str
    asked: Any
    found: Any

    @property
    def text(self) -> str:
        where = f" ({self.key})" if self.key else ""
        return f"{self.requirement}{where}: {_text(self.found)}; asked for is {_text(self.asked)}."

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Asked:
    """A requirement. fits: whether a value meets it, where being the same is not what is asked for."""

    words: str
    key: str
    asked: Any
    fits: Callable[[Any], bool] | None = None

    def departure(self, value: Any) -> Departure | None:
        fits = self.fits(value) if self.fits is not None else value is None or _same(value, self.asked)
        return None if fits else Departure(self.words, self.key, self.asked, value)


# In the order of the data's way: what goes in, the network, the training.
ASKED = (
    _Asked("Voxels of the MRI and the PET", "data.shape", [91, 120, 91]),
    _Asked("Network", "model.name", "swin_fusion"),
    _Asked("Channels of the first stage", "model.width", STAGES[0]),
    _Asked("Blocks in which MRI and PET ask each other", "model.cross_blocks", "at least 1", bool),
    _Asked("Width of the clinical encoder", "model.clinical", 128),
    _Asked("Width of the fusion", "model.fusion", 256),
    _Asked("Loss", "task.loss", "mse"),
    _Asked("Optimizer", "optimizer.name", "adamw"),
    _Asked("Learning rate", "optimizer.lr", 1e-4),
    _Asked("Weight decay", "optimizer.weight_decay", 1e-2),
    _Asked("Betas of the optimizer", "optimizer.betas", [0.9, 0.999]),
    _Asked("Schedule of the learning rate", "scheduler.name", "cosine_annealing"),
    _Asked("Lowest learning rate", "scheduler.eta_min", 1e-6),
    _Asked("Subjects in a step", "trainer.batch_size", 4),
    _Asked("Steps whose gradients are added up", "trainer.accumulate", 8),
    _Asked("Limit of the gradient", "trainer.gradient_clip", 1.0),
    _Asked("How the gradient is limited", "trainer.gradient_clip_by", "norm"),
    _Asked("Precision", "trainer.precision", "auto or 16-mixed", lambda value: value in ("auto", "16-mixed")),
    _Asked("Chance that a part is hidden in training", "task.modality_dropout", "above 0", bool),
)


def departures(experiment: Any, features: int | None = None) -> list[Departure]:
    """Where an experiment departs from what was asked for; `features`: of its cohort, where that is known."""
    tree = experiment.model_dump(mode="json")
    found = [asked.departure(_at(tree, asked.key)) for asked in ASKED]
    patches, stages = math.prod(side // 4 for side in experiment.data.shape), experiment.model.stages
    found += [
        _Asked("Patches of an image", "", PATCHES).departure(patches),
        _Asked("Channels of the stages", "", STAGES).departure(stages),
        _Asked("Clinical values", "", FEATURES).departure(features),
    ]
    return [departure for departure in found if departure is not None]


def _at(tree: dict[str, Any], key: str) -> Any:
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None  # type: ignore[assignment]
    return tree


def _same(value: Any, asked: Any) -> bool:
    if isinstance(asked, float):
        return isinstance(value, int | float) and math.isclose(value, asked, rel_tol=1e-9)
    return bool(value == asked)


def _text(value: Any) -> str:
    """
    >>> _text([91, 120, 91]), _text(14520), _text(0.0001)
    ('91, 120, 91', '14,520', '0.0001')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
