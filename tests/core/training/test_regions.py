"""Regions that lie in one another: trained, measured, published, predicted and evaluated as what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from core import config
from core.data.dataset import inspect
from core.data.plan import IGNORED, Label, load_plan
from core.data.regions import described, inside, read_back, regions, written
from core.errors import ConfigError, DatasetError
from core.inference.evaluate import evaluate
from core.inference.predictor import predict_file
from core.inference.publish import publish
from core.training.launch import execute, prepare_run
from core.training.planning import propose
from tests.core.making import tiny_experiment, write_nifti

NESTED = {"whole": [1, 2], "core": [2]}


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    """Bright balls with a brighter core."""
    grid = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"))
    for number in range(6):
        rng = np.random.default_rng(number)
        away = np.sqrt(((grid - rng.uniform(6, 10, 3).reshape(3, 1, 1, 1)) ** 2).sum(axis=0))
        label = ((away < 5.5).astype(np.uint8) + (away < 3)).astype(np.uint8)
        image = (rng.normal(0, 10, label.shape) + 60.0 * label).astype(np.float32)
        write_nifti(tmp_path / "data" / "images" / f"ball_{number}.nii.gz", image)
        write_nifti(tmp_path / "data" / "labels" / f"ball_{number}.nii.gz", label)
    return tmp_path / "data"


def experiment(data: Path, *, task: dict[str, Any] | None = None, **trainer: Any) -> Any:
    tree = config.to_tree(tiny_experiment(data, **trainer))
    tree["task"] |= task or {}
    tree["model"]["channels"] = [8, 16, 16]
    tree["optimizer"]["lr"] = 1e-2
    return config.parse(tree)


def test_a_region_is_written_with_its_value_that_no_later_one_has() -> None:
    found = regions({"whole": [1, 2, 4], "core": [1, 4], "enhancing": [4]})
    assert [(one.name, one.value, one.covers) for one in found] == [
        ("whole", 2, [1, 2, 4]), ("core", 1, [1, 4]), ("enhancing", 4, [4]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("covered", "said"),
    [
        ({"whole": [1, 2], "none": []}, "the region none is empty"),
        ({"whole": [0, 1]}, "label values begin at 1"),
        ({"core": [2], "whole": [1, 2]}, "core lies wholly in those after it: list the larger regions first"),
    ],
)
def test_regions_that_cannot_be_written_are_refused_by_the_form(covered: dict[str, list[int]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config.parse({"task": {"name": "segmentation", "regions": covered}})


def test_one_label_alone_has_no_regions() -> None:
    with pytest.raises(ConfigError, match="regions and target_label exclude each other"):
        config.parse({"task": {"name": "segmentation", "regions": NESTED, "target_label": 1}})


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"regions": {"whole": [1, 7]}}, "the region whole has the value 7, but the data set has 1"),
        ({"regions": NESTED, "ignore_label": 2}, "ignored label 2 is a part of the region whole"),
        ({"regions": NESTED, "balance_classes": True}, "classes cannot be weighed where regions are learned"),
    ],
)
def test_what_the_data_set_cannot_give_is_said_before_training(nested: Path, task: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        propose(experiment(nested, task=task), inspect(nested))


def test_a_loss_that_cannot_learn_regions_says_so(nested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = experiment(nested, task={"regions": NESTED})
    monkeypatch.delattr(type(ready.task.loss), "build_regions")
    with pytest.raises(ConfigError, match="the loss dice_ce cannot learn regions"):
        propose(ready, inspect(nested))


def test_regions_of_a_data_set_in_the_form_of_nnunet_are_learned_unless_set_otherwise(nested: Path) -> None:
    listed = {"background": 0, "whole tumor": [1, 2], "core": 2}
    (nested / "dataset.json").write_text(json.dumps({"labels": listed, "regions_class_order": [1, 2]}))
    dataset = inspect(nested)
    assert dataset.usable and not dataset.findings
    plan = propose(experiment(nested), dataset).plan
    assert [(one.name, one.value, one.covers) for one in plan.labels] == [("whole tumor", 1, [1, 2]), ("core", 2, [2])]
    assert plan.outputs == 2 and plan.values == [1, 2]
    assert not propose(experiment(nested, task={"regions": {}}), dataset).plan.overlapping


def test_a_data_set_whose_regions_make_no_sense_says_so(nested: Path) -> None:
    listed = {"background": 0, "whole": [1, 2], "core": 2}
    (nested / "dataset.json").write_text(json.dumps({"labels": listed, "regions_class_order": [1, 1]}))
    with pytest.raises(DatasetError, match=r"dataset.json: the region core is to be written as 1"):
        inspect(nested).require_usable()


def test_what_the_data_set_calls_ignore_is_left_out() -> None:
    listed = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
    assert [one.name for one in described({"labels": listed})] == ["whole", "core"]


def test_a_map_that_was_written_tells_which_regions_hold_each_voxel(nested: Path) -> None:
    plan = propose(experiment(nested, task={"regions": NESTED, "ignore_label": None}), inspect(nested)).plan
    classes = np.array([0, 1, 2, IGNORED], np.uint8).reshape(4, 1, 1)
    truly = np.moveaxis(inside(plan)[classes], -1, 0)
    assert truly[:, :, 0, 0].tolist() == [[False, True, True, False], [False, False, True, False]]
    assert (read_back(written(truly), plan) == truly).all()


def test_regions_are_learned_published_predicted_and_evaluated(nested: Path, tmp_path: Path) -> None:
    ready = experiment(nested, task={"regions": NESTED}, epochs=15, patches_per_case=4, validate_every=15, ema=0.9)
    run = execute(prepare_run(ready))
    assert run.summary["val/dice/whole"] > 0.8 and run.summary["val/dice/core"] > 0.7
    package = publish(run.id)
    assert package.activation == "sigmoid"
    assert [label.name for label in package.plan.labels] == ["whole", "core"]
    answer = predict_file(nested / "images" / "ball_0.nii.gz", package, tmp_path / "out")
    found = np.asarray(nib.load(answer.output).dataobj)
    assert set(np.unique(found)) == {0, 1, 2}
    whole, core = answer.structures
    assert whole["voxels"] == (found > 0).sum() and core["voxels"] == (found == 2).sum()
    assert 0.5 < core["confidence"] <= 1
    figures = evaluate(package.name, nested, device="cpu")
    truth = np.asarray(nib.load(nested / "labels" / "ball_0.nii.gz").dataobj)
    row = next(row for row in figures["cases"] if row["case"] == "ball_0")
    expected = 2 * ((found > 0) & (truth > 0)).sum() / ((found > 0).sum() + (truth > 0).sum())
    assert row["dice"]["whole"] == pytest.approx(expected) and expected > 0.8
    assert figures["metrics"]["test/dice/core"] > 0.6


def test_ignored_voxels_are_in_no_region(nested: Path) -> None:
    for file in (nested / "labels").iterdir():
        label = np.asarray(nib.load(file).dataobj).copy()
        label[:, :, :3] = 9
        write_nifti(file, label)
    run = execute(prepare_run(experiment(nested, task={"regions": NESTED, "ignore_label": 9}, epochs=1)))
    plan = load_plan(run.folder)
    assert plan.ignore_label == 9 and plan.values == [1, 2]
    assert {"val/dice/whole", "val/dice/core"} <= run.summary.keys()
    assert plan.labels == [Label(value=1, name="whole", covers=[1, 2]), Label(value=2, name="core", covers=[2])]
