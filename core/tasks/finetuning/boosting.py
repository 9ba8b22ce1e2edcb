"""Boosted trees on the plain statistics of stays, beside the heads: they find thresholds, as no linear head does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.control import JobControl
from core.data.stays.batches import Draws, StayRows
from core.models.nets.trees import Trees
from core.tasks.finetuning.network import StayNetwork
from core.tasks.finetuning.resampling import shortened, weights_of_members

Array = np.ndarray[Any, Any]
TREES, DEPTH, MOST_ENSEMBLES = 600, 3, 5
COPIES = 2  # of each stay, cut short, where stays are cut short in training
CHUNK = 512
PURPOSE = 0xB0057


def trees_for(task: Any) -> Trees | None:
    """Empty trees, where a task asks for them."""
    return empty_trees(task.members) if task.trees else None


def empty_trees(members: int) -> Trees:
    return Trees(min(members, MOST_ENSEMBLES), TREES, DEPTH)


def fit_trees(network: StayNetwork, rows: StayRows, task: Any, seed: int, control: JobControl) -> None:
    """Fit the network's trees to training stays, whole ones and copies that were cut short; each ensemble weighs the
    stays as another member does."""
    import xgboost

    if network.trees is None:
        return
    copies = COPIES if task.truncate else 0
    seen = np.concatenate([_described(network, rows, seed, copy, bool(copy)) for copy in range(copies + 1)])
    target = np.tile(rows.target.numpy(), copies + 1)
    count = len(network.trees.base)
    weights = weights_of_members(count, len(rows), seed + 1).numpy() if task.resample and count > 1 else None
    for number in range(count):
        control.check()
        control.progress(None, f"Growing trees ({number + 1} of {count})")
        # A stay and its copies weigh the same together, however many there are; half of it the whole stay.
        each = np.concatenate(
            [np.full(len(rows), 0.5 if copies else 1.0), np.full(copies * len(rows), 0.5 / (copies or 1))]
        )
        if weights is not None:
            each = each * np.tile(weights[number], copies + 1)
        data = xgboost.DMatrix(seen, label=target, weight=each)
        settings = {
            "objective": "binary:logistic", "learning_rate": 0.015, "max_depth": DEPTH, "subsample": 0.7,
            "colsample_bytree": 0.2, "min_child_weight": 3, "seed": seed + number, "nthread": 1, "tree_method": "hist",
        }  # fmt: skip
        booster = xgboost.train(settings, data, num_boost_round=TREES)
        trees = [json.loads(text) for text in booster.get_dump(dump_format="json")]
        network.trees.take(number, trees, 0.0)
        first = xgboost.DMatrix(seen[:1])
        margin = float(booster.predict(first, output_margin=True)[0])
        network.trees.base[number] = margin - float(network.trees(torch.from_numpy(seen[:1]))[number, 0])


@torch.no_grad()
def _described(network: StayNetwork, rows: StayRows, seed: int, copy: int, cut: bool) -> Array:
    training = network.training
    network.eval()
    parts: list[Tensor] = []
    for step, chunk in enumerate(torch.arange(len(rows)).split(CHUNK)):
        stays = rows.stays(chunk)
        if cut:
            stays = shortened(stays, Draws(seed + PURPOSE, copy, step, 0, len(chunk), len(chunk)), 1.0)
        parts.append(network.plain(stays))
    network.train(training)
    return torch.cat(parts).numpy()
