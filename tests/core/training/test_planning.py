"""What is found out before a run is made: nothing of these reaches training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from core import config
from core.catalog import Catalog
from core.data.dataset import Dataset, inspect
from core.data.plan import Plan, load_plan
from core.errors import ConfigError, DatasetError
from core.training.launch import prepare_run
from core.training.planning import class_shares, propose
from tests.core.making import ball_case, make_dataset, tiny_experiment, write_nifti


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


def changed(dataset: Path, **blocks: dict[str, Any]) -> Any:
    tree = config.to_tree(tiny_experiment(dataset))
    for block, values in blocks.items():
        tree[block] |= values
    return config.parse(tree)


def relabel(dataset: Path, *numbers: int, old: int, new: int) -> None:
    for number in numbers:
        path = dataset / "labels" / f"ball_{number:02d}.nii.gz"
        label = np.asarray(nib.load(path).dataobj).copy()
        label[label == old] = new
        write_nifti(path, label)


def plan_of(experiment: Any, dataset: Dataset) -> Plan:
    return propose(experiment, dataset).plan


def no_runs() -> bool:
    with Catalog() as catalog:
        return catalog.runs() == []


def test_a_patch_larger_than_every_case_is_refused(dataset: Path) -> None:
    with pytest.raises(ConfigError, match=r"16 x 16 x 32 is larger than every case.*at most 16 x 16 x 16"):
        prepare_run(changed(dataset, data={"patch_size": [16, 16, 32]}))
    assert no_runs()


def test_a_patch_may_be_larger_than_the_cases_by_what_the_network_needs(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "odd", size=14)
    assert plan_of(tiny_experiment(dataset), inspect(dataset)).patch_size == (16, 16, 16)


@pytest.mark.parametrize("patch", [[4, 4, 4], None])
def test_a_network_never_gets_down_to_a_single_voxel(tmp_path: Path, patch: list[int] | None) -> None:
    dataset = make_dataset(tmp_path / "small", size=4)
    experiment = changed(dataset, data={"patch_size": patch})
    if patch is None:
        assert sorted(plan_of(experiment, inspect(dataset)).patch_size) == [4, 4, 8]
    else:
        with pytest.raises(ConfigError, match="single voxel"):
            prepare_run(experiment)


def test_one_case_only_is_refused(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "one", cases=1)
    with pytest.raises(DatasetError, match="At least two readable cases"):
        prepare_run(tiny_experiment(dataset))


def test_two_scans_of_one_subject_cannot_be_split(tmp_path: Path) -> None:
    for number in range(2):
        image, label = ball_case(number)
        write_nifti(tmp_path / "images" / f"sub-01_ses-{number}.nii.gz", image)
        write_nifti(tmp_path / "labels" / f"sub-01_ses-{number}.nii.gz", label)
    with pytest.raises(DatasetError, match="too few"):
        prepare_run(tiny_experiment(tmp_path))


@pytest.mark.parametrize(("having", "part"), [([0], "training|validation"), ([0, 1, 2, 3, 4], "")])
def test_a_structure_that_a_part_lacks_is_named(dataset: Path, having: list[int], part: str) -> None:
    relabel(dataset, *(n for n in range(6) if n not in having), old=2, new=1)
    if part:
        with pytest.raises(DatasetError, match=rf"the ({part}) part's \d cases have no Label 2"):
            prepare_run(tiny_experiment(dataset))
        assert no_runs()
    else:
        prepare_run(tiny_experiment(dataset))


def test_a_listed_label_that_no_case_has_is_left_out(dataset: Path) -> None:
    (dataset / "dataset.json").write_text('{"labels": {"0": "background", "1": "One", "2": "Two", "3": "Three"}}')
    found = inspect(dataset)
    assert [label.name for label in plan_of(tiny_experiment(dataset), found).labels] == ["One", "Two"]
    assert any("Three is listed" in finding.message for finding in found.findings)


def test_the_ignored_label_is_no_structure(dataset: Path) -> None:
    plan = plan_of(changed(dataset, task={"ignore_label": 2}), inspect(dataset))
    assert [label.value for label in plan.labels] == [1] and plan.ignore_label == 2
    with pytest.raises(ConfigError, match="ignore_label is 7"):
        plan_of(changed(dataset, task={"ignore_label": 7}), inspect(dataset))
    relabel(dataset, *range(6), old=2, new=1)
    with pytest.raises(ConfigError, match="nothing is left to learn"):
        plan_of(changed(dataset, task={"ignore_label": 1}), inspect(dataset))


def test_class_shares_are_those_of_the_training_voxels(dataset: Path) -> None:
    found = inspect(dataset)
    plan = plan_of(tiny_experiment(dataset), found)
    label = np.asarray(nib.load(dataset / "labels" / "ball_00.nii.gz").dataobj)
    expected = np.bincount(label.ravel(), minlength=3) / label.size
    assert class_shares(found, ["ball_00"], plan) == pytest.approx(expected.tolist())
    ignoring = plan_of(changed(dataset, task={"ignore_label": 2}), found)
    kept = label[label != 2]
    assert class_shares(found, ["ball_00"], ignoring) == pytest.approx((np.bincount(kept) / kept.size).tolist())


def test_balancing_is_written_into_the_runs_plan(dataset: Path) -> None:
    run_id = prepare_run(changed(dataset, task={"balance_classes": True}))
    with Catalog() as catalog:
        shares = load_plan(catalog.run(run_id).folder).class_shares
    assert shares is not None and sum(shares) == pytest.approx(1) and len(shares) == 3


def test_class_weights_of_another_number_are_refused_before_a_run_is_made(dataset: Path) -> None:
    with pytest.raises(ConfigError, match="1 values for 3 classes"):
        prepare_run(changed(dataset, task={"class_weights": [1.0]}))
    assert no_runs()
