"""What fewer labels would give: pretrained against from scratch against gradient boosting, by the share of labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.stays.grid import grid
from core.errors import ConfigError
from core.tasks.finetuning.handmade import boosted
from core.tasks.finetuning.preparing import every_stay, load_target
from core.tasks.pretraining.preparing import load_coding, load_split, rows_of
from core.training.launch import execute, prepare_run
from core.training.optimizers import AdamWConfig

SHARES = (0.01, 0.05, 0.1, 0.25, 1.0)
METHODS = ("pretrained", "scratch", "boosting")
MOST_EPOCHS = 4  # times those of all labels: a step of few labels costs little, and few steps teach little


def fractions(
    experiment: Any, shares: Sequence[float] = SHARES, seeds: int = 1, *, control: JobControl | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:  # fmt: skip
    """Train each method on each share of the labels and test all on the same stays: {"points", "means", "gains"}.

    A smaller share lies within a larger one, and the methods learn from the same stays. Each training is a run in the
    catalog. The labels of the validation, by which networks are stopped, are the same for every share.
    gains: pretrained less scratch. Raises ConfigError where the experiment has no test or no pretrained encoder.
    """
    control = control or JobControl()
    _check(experiment)
    points: list[dict[str, Any]] = []
    for seed in range(experiment.seed, experiment.seed + seeds):
        for share in shares:
            for method in METHODS[:2]:
                control.progress(len(points) / (len(METHODS) * len(shares) * seeds), f"{method}, {share:.0%} of labels")
                run = execute(prepare_run(of_share(experiment, share, method, seed), control), job=control.silent())
                found = {name: value for name, value in run.summary.items() if name.startswith("test/")}
                points.append(_point(method, share, seed, run, found))
                tell(_line(points[-1]))
            points.append(_point("boosting", share, seed, run, _boosting(run, experiment, seed, control)))
            tell(_line(points[-1]))
    means = _means(points)
    return {
        "outcome": ", ".join(experiment.task.targets), "points": points, "means": means, "gains": _gains(means),
    }  # fmt: skip


def _check(experiment: Any) -> None:
    if experiment.task.name != "finetuning" or experiment.task.kind != "binary":
        raise ConfigError("the share of labels is varied for a fine-tuning with an outcome of yes or no")
    if not experiment.encoder.checkpoint:
        raise ConfigError("no pretrained encoder is given", mend="Set encoder.checkpoint to a run of a pretraining.")
    data = experiment.data
    if not data.test_fraction and not data.test_parts and data.test_path is None:
        raise ConfigError("there is no test", mend="Set data.test_parts, data.test_path or data.test_fraction.")


def of_share(experiment: Any, share: float, method: str, seed: int) -> Any:
    """The experiment of one point.

    A penalty on the weights (of sgd and adam) counts for more where there are fewer stays. From scratch all layers
    learn at one rate, by AdamW: none knows anything yet, and a probe's optimizer would teach them little. One network
    each, without trees, which are a method of their own here, and without members: several from scratch would take
    many times as long, and one side alone would be unfair.
    """
    trainer = experiment.trainer
    longer = min(1 / share, MOST_EPOCHS)
    changed = {
        "seed": seed, "task": experiment.task.model_copy(update={"members": 1, "trees": False}),
        "name": f"{experiment.name} {method} {share:.0%}".replace("%", " percent")[:80],
        "data": experiment.data.model_copy(update={"label_fraction": share}),
        "trainer": trainer.model_copy(
            update={
                "epochs": math.ceil(trainer.epochs * longer), "batch_size": max(round(trainer.batch_size / longer), 8),
                "early_stopping": math.ceil(trainer.early_stopping * longer),
            }
        ),
    }  # fmt: skip
    if experiment.optimizer.name != "adamw":
        decay = min(experiment.optimizer.weight_decay / share, 1.0)
        changed["optimizer"] = experiment.optimizer.model_copy(update={"weight_decay": decay})
    if method == "scratch":
        changed["optimizer"] = AdamWConfig(lr=5e-4, weight_decay=0.05)
        changed["encoder"] = _without_start(experiment)
        changed["task"] = changed["task"].model_copy(update={"mode": "full", "layer_decay": 1.0})
    return experiment.model_copy(update=changed)


def _without_start(experiment: Any) -> Any:
    """The encoder as the pretrained one is, with random weights."""
    from core.tasks.finetuning.preparing import fitted
    from core.tasks.pretraining.encoders import origin_of

    known, _ = fitted(experiment, origin_of(experiment.encoder.checkpoint))
    return known.encoder.model_copy(update={"checkpoint": None})


def _boosting(run: Any, experiment: Any, seed: int, control: JobControl) -> dict[str, float]:
    """Gradient boosting on the stays of a run that was made before."""
    coding, split, target = load_coding(run.folder), load_split(run.folder), load_target(run.folder)
    path = Path(run.data_path)
    stays, outcomes = every_stay(experiment, path, control)
    held = {part: stays.take(rows_of(stays, split[part], path)) for part in ("train", "test")}
    known = {part: target.of(outcomes, of.ids)[0] for part, of in held.items()}
    grids = {part: grid(coding, of) for part, of in held.items()}
    found = boosted(grids["train"], known["train"], grids["test"], known["test"], seed=seed)
    return {f"test/{name}": value for name, value in found.items()}


def _point(method: str, share: float, seed: int, run: Any, found: dict[str, float]) -> dict[str, Any]:
    labels = len(load_split(run.folder)["train"])
    told = {"method": method, "share": share, "labels": labels, "seed": seed, **found}
    return told if method == "boosting" else {**told, "run": run.id}


def _line(point: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {point[f'test/{name}']:.3f}" for name in ("auroc", "auprc") if f"test/{name}" in point)
    return f"{point['share']:.0%} ({point['labels']:,} labels) {point['method']}: {figures}"


def _means(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mean over seeds of each method and share."""
    found = []
    for method, share in dict.fromkeys((p["method"], p["share"]) for p in points):
        mine = [p for p in points if (p["method"], p["share"]) == (method, share)]
        names = [name for name in mine[0] if name.startswith("test/") and all(name in p for p in mine)]
        figures = {name: float(np.mean([p[name] for p in mine])) for name in names}
        found.append({"method": method, "share": share, "labels": mine[0]["labels"], "seeds": len(mine), **figures})
    return found


def _gains(means: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What pretraining is worth at each share."""
    of = {(p["method"], p["share"]): p for p in means}
    return [
        {
            "share": share,
            **{
                name: of["pretrained", share][name] - of["scratch", share][name]
                for name in ("test/auroc", "test/auprc")
                if name in of["pretrained", share] and name in of["scratch", share]
            },
        }
        for share in dict.fromkeys(p["share"] for p in means)
    ]
