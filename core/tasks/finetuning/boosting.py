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
TREES, DEPTH, MOST_ENSEMBLES = 600, 3, 20  # of a new network; a package says how many it has
COPIES = 2  # of each stay, cut short, that the early trees learn from
CHUNK = 512
PURPOSE = 0xB0057


def ensembles_for(members: int) -> int:
    """How many ensembles a new network of so many members gets."""
    return min(members, MOST_ENSEMBLES)


def empty_trees(ensembles: int, early: bool) -> Trees:
    """So many ensembles; early: as many again for stays that have just begun."""
    return Trees(ensembles * (2 if early else 1), TREES, DEPTH)


def fit_trees(network: StayNetwork, rows: StayRows, task: Any, seed: int, control: JobControl) -> None:
    """Fit the network's trees to training stays, and the early ones to copies that were cut short.

    Each ensemble weighs the stays as another member does. One for both kinds would be worse at each.
    """
    if network.trees is None:
        return
    count = len(network.trees.base)
    whole = count // 2 if network.early else count
    copies = np.concatenate([_described(network, rows, seed, copy) for copy in range(COPIES)])
    of_whole = _described(network, rows, seed, None)
    target = rows.target.numpy()
    weights = weights_of_members(whole, len(rows), seed + 1).numpy() if task.resample and whole > 1 else None
    for number in range(count):
        control.check()
        control.progress(None, f"Growing trees ({number + 1} of {count})")
        seen, times = (of_whole, 1) if number < whole else (copies, COPIES)
        each = np.full(len(rows), 1 / times) if weights is None else weights[number % whole] / times
        trees, base = _grown(seen, np.tile(target, times), np.tile(each, times), seed + number)
        network.trees.take(number, trees, base)


def _grown(seen: Array, target: Array, weight: Array, seed: int) -> tuple[list[dict[str, Any]], float]:
    """The trees as XGBoost tells them, and the log odds that they are added to."""
    import xgboost

    settings = {
        "objective": "binary:logistic", "learning_rate": 0.015, "max_depth": DEPTH, "subsample": 0.7,
        "colsample_bytree": 0.2, "min_child_weight": 3, "seed": seed, "nthread": 1, "tree_method": "hist",
    }  # fmt: skip
    booster = xgboost.train(settings, xgboost.DMatrix(seen, label=target, weight=weight), num_boost_round=TREES)
    trees = [json.loads(text) for text in booster.get_dump(dump_format="json")]
    made = Trees(1, TREES, DEPTH)
    made.take(0, trees, 0.0)
    margin = float(booster.predict(xgboost.DMatrix(seen[:1]), output_margin=True)[0])
    return trees, margin - float(made(torch.from_numpy(seen[:1]))[0, 0])


@torch.no_grad()
def _described(network: StayNetwork, rows: StayRows, seed: int, copy: int | None) -> Array:
    """The plain statistics of stays; of a copy by its number, cut short at random."""
    training = network.training
    network.eval()
    parts: list[Tensor] = []
    for step, chunk in enumerate(torch.arange(len(rows)).split(CHUNK)):
        stays = rows.stays(chunk)
        if copy is not None:
            stays = shortened(stays, Draws(seed + PURPOSE, copy, step, 0, len(chunk), len(chunk)), 1.0)
        parts.append(network.plain(stays))
    network.train(training)
    return torch.cat(parts).numpy()
