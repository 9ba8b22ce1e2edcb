"""The rows of a fit with what else the experiment asks for: weights of the classes, and a teacher's lessons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.tables.encode import TableCoding
from core.tasks.tabular.data import Rows
from core.tasks.tabular.teachers import NAMES, Make, make_method, teach

Array = np.ndarray[Any, Any]


def training_rows(
    task: Any, numbers: Array, codes: Array, target: Array, classes: int, coding: TableCoding, *, seed: int,
    groups: Array | None = None, teachers: Sequence[Make] | None = None, rates: Array | None = None,
    control: JobControl | None = None,
) -> Rows:  # fmt: skip
    """Coded rows, weighted and taught as the task's settings say; those that were made up come last.

    classes: of the outcome; 0: a number. teachers: in place of those that the settings name. rates: (classes,) weights
    of the rows of each class, in place of what `balance_classes` says.
    """
    control = control or JobControl()
    if rates is None:
        rates = np.ones(max(classes, 1))
    if classes and task.balance_classes:
        rates = len(target) / (classes * np.maximum(np.bincount(target, minlength=classes), 1))
    weighted = bool((rates != 1).any())
    distillation = task.distillation
    if not classes or distillation is None:
        return Rows.of(numbers, codes, target, weight=rates[target] if weighted else None)
    if teachers is None:
        control.progress(None, f"Fitting the teachers ({', '.join(NAMES[name] for name in distillation.teacher)})")
        teachers = [lambda name=name: make_method(name, seed, classes) for name in distillation.teacher]  # type: ignore[misc]
    found = teach(
        teachers, numbers, codes, target, classes, coding, folds=distillation.folds, made=distillation.made, seed=seed,
        groups=groups, control=control,
    )  # fmt: skip
    soft = np.concatenate([found.soft, found.made_soft])
    share = np.concatenate([np.full(len(target), distillation.weight), np.ones(len(found.made_soft))])
    # Ten made rows to each of the table would leave little of what the table itself says.
    weight = np.concatenate([rates[target], distillation.made_weight * (found.made_soft @ rates)])
    target = np.concatenate([target, found.made_soft.argmax(axis=1)])
    return Rows.of(
        np.concatenate([numbers, found.numbers]), np.concatenate([codes, found.codes]), target, soft=soft, share=share,
        weight=weight,
    )  # fmt: skip
