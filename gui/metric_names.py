"""What metrics are called in a sentence, which of two values is better, and which metric a run is judged by. No Qt."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml

from core import registry
from core.config import read_yaml, task_of
from core.metrics.names import NAMES, PARTS, metric_name
from core.tasks.base import Task


def metric_title(key: str) -> str:
    """A metric with its part.

    >>> metric_title("val/dice"), metric_title("lr")
    ('Dice, validation', 'Learning rate')
    """
    part = PARTS.get(key.partition("/")[0])
    return f"{metric_name(key)}, {part}" if part else metric_name(key)


def in_a_sentence(key: str) -> str:
    """A metric's name where it does not begin a sentence.

    >>> in_a_sentence("val/loss"), in_a_sentence("val/dice"), in_a_sentence("val/auroc")
    ('loss', 'Dice', 'AUROC')
    """
    name = metric_name(key)
    return name if key.rpartition("/")[2] in NAMES else name[:1].lower() + name[1:]


def lower_is_better(key: str) -> bool:
    return Task.lower_is_better(key)


def best_of(values: Iterable[float], key: str) -> float:
    """The best of the values that are numbers; NaN where there is none.

    >>> best_of([0.5, float("nan"), 0.7], "val/auroc"), best_of([0.5, 0.7], "val/loss")
    (0.7, 0.5)
    """
    known = [value for value in values if math.isfinite(value)]
    return float((min if lower_is_better(key) else max)(known)) if known else math.nan


def monitor_of(config: str) -> str:
    """The metric that an experiment's best checkpoint is chosen by, from its YAML."""
    tree = settings_of(config)
    task = tree.get("task")
    given = task.get("monitor") if isinstance(task, dict) else None
    if isinstance(given, str):
        return given
    part: Any = registry.parts("task").get(task_of(tree))
    return str(part.model_fields["monitor"].default) if part is not None else "val/loss"


@lru_cache(maxsize=512)
def settings_of(text: str) -> dict[str, Any]:
    """A run's settings as a tree, empty for what is none. Kept, since pages ask several times a second."""
    try:
        tree = read_yaml(text)
    except (yaml.YAMLError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}
