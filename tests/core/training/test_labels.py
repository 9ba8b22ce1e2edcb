"""What labels become: trained as class indices, predicted as the values they had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from core import config
from core.catalog import RunRow
from core.data.cache import CaseCache
from core.data.patches import PatchDataset
from core.data.plan import IGNORED, load_plan
from core.inference.predictor import predict_file
from core.inference.publish import publish
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment, write_nifti


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


def train(dataset: Path, *, task: dict[str, Any], model: dict[str, Any] | None = None, **trainer: Any) -> RunRow:
    tree = config.to_tree(tiny_experiment(dataset, **trainer))
    tree["task"] |= task
    tree["model"] |= model or {}
    tree["optimizer"]["lr"] = 1e-2
    return execute(prepare_run(config.parse(tree)))


def test_one_label_trained_alone_is_predicted_with_its_own_value(dataset: Path, tmp_path: Path) -> None:
    for file in (dataset / "labels").iterdir():
        label = np.asarray(nib.load(file).dataobj)
        write_nifti(file, np.where(label == 2, 7, label).astype(np.uint8))
    run = train(
        dataset, task={"target_label": 7}, model={"channels": [8, 16, 16]}, epochs=15, patches_per_case=4,
        validate_every=15, ema=0.9,
    )  # fmt: skip
    package = publish(run.id)
    assert [label.value for label in package.plan.labels] == [7]
    answer = predict_file(dataset / "images" / "ball_00.nii.gz", package, tmp_path / "out")
    found = np.asarray(nib.load(answer.output).dataobj)
    truth = np.asarray(nib.load(dataset / "labels" / "ball_00.nii.gz").dataobj)
    assert set(np.unique(found)) == {0, 7}
    assert ((found == 7) & (truth == 7)).sum() > 0.5 * (truth == 7).sum()
    assert [(structure["label"], structure["name"]) for structure in answer.structures] == [(7, "Label 7")]


def test_ignored_voxels_are_marked_in_training_and_missing_from_the_metrics(dataset: Path) -> None:
    run = train(dataset, task={"ignore_label": 2}, epochs=1)
    assert "val/dice/Label 1" in run.summary and "val/dice/Label 2" not in run.summary
    plan = load_plan(run.folder)
    from core.data.cache import cache_folder
    from core.data.dataset import discover

    cases = discover(dataset)[1]
    cache = CaseCache(cache_folder(run.data_path, cases, plan), cases, plan)
    label = cache.load("ball_00")[1]
    assert set(np.unique(label)) == {0, 1, IGNORED}
    patches = PatchDataset(cache, ["ball_00"], config.parse({}).data, 0)
    assert len(patches.foreground["ball_00"]) == (label == 1).sum()


@pytest.mark.parametrize("loss", ["focal", {"name": "tversky", "miss": 0.9}])
def test_deep_supervision_and_any_loss_train_and_publish(dataset: Path, loss: Any) -> None:
    network = {"deep_supervision": True, "norm": "batch"}  # whose counters the average of the weights must leave whole
    run = train(dataset, task={"loss": loss, "balance_classes": True}, model=network, epochs=1)
    assert run.state == "finished"
    package = publish(run.id)
    assert set(package.manifest.training.dice) == {"Label 1", "Label 2"}
