"""What the system was asked to be, number by number, and where an experiment departs from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

# The requirement's number, the key in the experiment, and the value that is asked for.
ASKED: tuple[tuple[str, str, Any], ...] = (
    ("A1", "data.shape", [91, 120, 91]),
    ("A2", "model.name", "swin_fusion"),
    ("A2", "model.width", 96),
    ("A4", "model.clinical", 128),
    ("A5", "model.fusion", 256),
    ("A6", "task.loss", "mse"),
    ("A7", "optimizer.name", "adamw"),
    ("A7", "optimizer.lr", 1e-4),
    ("A7", "optimizer.weight_decay", 1e-2),
    ("A7", "optimizer.betas", [0.9, 0.999]),
    ("A7", "scheduler.name", "cosine_annealing"),
    ("A7", "scheduler.eta_min", 1e-6),
    ("A8", "trainer.batch_size", 4),
    ("A8", "trainer.accumulate", 8),
    ("A8", "trainer.gradient_clip", 1.0),
    ("A8", "trainer.gradient_clip_by", "norm"),
)
FEATURES = 118
STAGES = [96, 192, 384, 768]
PATCHES = 14_520


@dataclass(frozen=True)
class Departure:
    """One value that is not the one asked for. requirement: its number, such as A7."""

    requirement: str
    key: str
    asked: Any
    found: Any

    @property
    def text(self) -> str:
        return f"{self.requirement} {self.key} is {_text(self.found)}, not {_text(self.asked)}."

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def departures(experiment: Any, features: int | None = None) -> list[Departure]:
    """Where an experiment departs from A1 to A8, in their order; `features`: of its cohort, where that is known."""
    tree = experiment.model_dump(mode="json")
    found = [
        Departure(number, key, asked, value)
        for number, key, asked in ASKED
        if not _same(value := _at(tree, key), asked) and value is not None
    ]
    model = experiment.model
    wider: list[tuple[str, str, Any, Callable[[], Any]]] = [
        ("A2", "patches", PATCHES, lambda: _patches(experiment.data.shape)),
        ("A2", "stages", STAGES, lambda: model.stages),
        ("A3", "model.cross_blocks", "at least 1", lambda: model.cross_blocks or None),
        ("A8", "trainer.precision", "auto or 16-mixed", lambda: _half(experiment.trainer.precision)),
        ("A11", "task.modality_dropout", "above 0", lambda: experiment.task.modality_dropout or None),
    ]
    for number, key, asked, value_of in wider:
        value = value_of()
        if value is None or (not isinstance(asked, str) and value != asked):
            shown = _at(tree, key) if "." in key else value
            found.append(Departure(number, key, asked, shown))
    if features is not None and features != FEATURES:
        found.append(Departure("A1", "clinical values", FEATURES, features))
    return sorted(found, key=lambda departure: int(departure.requirement[1:]))


def _patches(shape: tuple[int, int, int]) -> int:
    return math.prod(side // 4 for side in shape)


def _half(precision: str) -> str | None:
    return precision if precision in ("auto", "16-mixed") else None


def _at(tree: dict[str, Any], key: str) -> Any:
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None  # type: ignore[assignment]
    return tree


def _same(value: Any, asked: Any) -> bool:
    if isinstance(asked, float):
        return isinstance(value, int | float) and math.isclose(value, asked, rel_tol=1e-9)
    return bool(value == asked)


def _text(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
