"""Boosted trees beside the heads: the same answers as XGBoost's, kept with the weights, for a yes or no only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core import config
from core.data.stays.batches import StayRows
from core.data.stays.grid import grid
from core.data.stays.read import read_stays
from core.errors import ConfigError
from core.models.nets.trees import Trees
from core.tasks.finetuning import boosting
from core.training.launch import execute, prepare_run
from tests.core.stays import make_stays, tree


def test_trees_as_tensors_answer_as_xgboost_does() -> None:
    import xgboost

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 6)).astype(np.float32)
    rows[:, 5] = np.round(rows[:, 5])  # ties with thresholds
    target = (rows[:, 0] + np.where(rows[:, 5] > 0, rows[:, 1], 0) > 0).astype(float)
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, xgboost.DMatrix(rows, label=target), 20
    )
    made = Trees(1, 20, 3)
    made.take(0, [json.loads(text) for text in booster.get_dump(dump_format="json")], 0.0)
    wanted = booster.predict(xgboost.DMatrix(rows), output_margin=True)
    found = made(torch.from_numpy(rows))[0].numpy()
    assert np.ptp(found - wanted) < 1e-4 and np.ptp(wanted) > 1  # but for the base, which is fitted apart


def test_trees_are_part_of_the_answer_and_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.tasks.finetuning.answering import answer
    from core.tasks.finetuning.publishing import package_of

    monkeypatch.setattr(boosting, "TREES", 30)
    folder = make_stays(tmp_path, 80)
    settings = tree(
        "finetuning", folder, task={"trees": True, "members": 3, "clinical": True}, data={"test_fraction": 0.25}
    )
    run = execute(prepare_run(config.parse(settings)))
    assert run.summary["test/auroc"] > 0.8
    with package_of(run) as package:
        network, stays = package.load(), read_stays(folder)
        assert len(network.trees.base) == 6 and len(np.unique(network.trees.base.numpy())) == 6  # each weighs otherwise
        monkeypatch.setattr("core.tasks.finetuning.boosting.MOST_ENSEMBLES", 1)
        assert len(package.load().trees.base) == 6, "a package keeps its number when new networks get another"
        batch = StayRows(package.manifest.coding, grid(package.manifest.coding, stays)).stays(torch.arange(30))
        with_trees = answer(package.manifest, network, batch)
        begun = batch.ended((~batch.padding).sum(1).clamp_max(1))
        early = answer(package.manifest, network, begun)
        network.trees.value[:3] += 1  # those of whole stays say nothing of such
        assert np.allclose(answer(package.manifest, network, begun), early)
        assert (answer(package.manifest, network, batch)[:, 1] > with_trees[:, 1]).any()
        scored = answer(package.manifest, network, batch)
        network.clinical.center += 3  # what was measured is read as other values
        assert np.abs(scored - answer(package.manifest, network, batch)).max() > 0.01
        network.clinical.center -= 3
        network.trees = None
        assert np.abs(with_trees - answer(package.manifest, network, batch)).max() > 0.02


def test_trees_for_anything_but_yes_or_no_are_refused(tmp_path: Path) -> None:
    task = {"trees": True, "kind": "regression", "targets": ["Length_of_stay"]}
    with pytest.raises(ConfigError, match=r"trees are for an outcome of yes or no, not for regression"):
        prepare_run(config.parse(tree("finetuning", make_stays(tmp_path, 30), task=task)))
