"""A group of runs on folds: trained one after another, stopped, gone on with, and never losing a fold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.catalog import Catalog
from core.catalog.groups import group, groups, runs_of, state_of
from core.control import JobControl
from core.errors import ConfigError, DatasetError, TrainingFailed
from core.training import control, cross_validation
from core.training.cross_validation import prepare, reopen
from tests.core.making import ball_case, make_dataset, tiny_experiment, write_nifti


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "data")


def test_each_fold_is_a_run_that_kept_its_cases_out(dataset: Path) -> None:
    said: list[str] = []
    validation = prepare(tiny_experiment(dataset, epochs=1), 3)
    runs = validation.train(job=JobControl(lambda _, message: said.append(message)))
    assert state_of(3, runs) == "finished" and list(runs) == [0, 1, 2]
    kept_out = []
    for fold, run in runs.items():
        split = json.loads((run.folder / "split.json").read_text())
        assert run.run_group == validation.group.id and run.name == f"tiny fold {fold}"
        assert split["val"] == validation.group.folds[fold] and not {*split["val"]} & {*split["train"]}
        kept_out += split["val"]
    assert sorted(kept_out) == [f"ball_{n:02d}" for n in range(6)]
    assert "Fold 1 (2 of 3): Training" in said


def test_a_failed_fold_does_not_keep_the_others(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cross_validation.execute
    calls: list[str] = []

    def second_fails(run_id: str, **options: Any) -> Any:
        calls.append(run_id)
        if len(calls) == 2:
            with Catalog() as catalog:
                catalog.update_run(run_id, state="failed", error="the loss became nan")
            raise TrainingFailed("the loss became nan")
        return real(run_id, **options)

    monkeypatch.setattr(cross_validation, "execute", second_fails)
    validation = prepare(tiny_experiment(dataset, epochs=1), 3)
    runs = validation.train()
    assert [run.state for run in runs.values()] == ["finished", "failed", "finished"]
    assert state_of(3, runs) == "failed"
    monkeypatch.setattr(cross_validation, "execute", real)
    again = reopen(validation.group.id).train()
    assert [run.state for run in again.values()] == ["finished"] * 3
    assert {run.id for run in again.values()} == {run.id for run in runs.values()}


def test_a_stopped_group_goes_on_with_its_open_folds(dataset: Path) -> None:
    validation = prepare(tiny_experiment(dataset, epochs=2), 3)
    begun: list[int] = []

    def stop_the_second(fold: int, run_id: str) -> None:
        begun.append(fold)
        if fold == 1:
            monkey_stop.append(run_id)

    monkey_stop: list[str] = []
    real_clear = control.clear

    def clear_then_ask(run_id: str) -> None:  # a run forgets older requests as it begins: ask just after
        real_clear(run_id)
        if run_id in monkey_stop:
            control.request(run_id, "stop")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control, "clear", clear_then_ask)
        runs = validation.train(started=stop_the_second)
    assert begun == [0, 1] and runs[0].state == "finished" and runs[1].state == "stopped"
    begun.clear()
    runs = reopen("tiny").train(started=lambda fold, _: begun.append(fold))
    assert begun == [1, 2] and state_of(3, runs) == "finished"


def test_only_the_chosen_folds_are_trained(dataset: Path) -> None:
    validation = prepare(tiny_experiment(dataset, epochs=1), 3)
    assert list(validation.train([2])) == [2]
    with Catalog() as catalog:
        assert [row.id for row in groups(catalog)] == [validation.group.id]
        assert state_of(3, runs_of(catalog, validation.group.id)) == "stopped"
    with pytest.raises(ConfigError, match="there is no fold 3"):
        validation.train([0, 3])


def test_two_experiments_on_the_same_data_have_the_same_folds(dataset: Path) -> None:
    first, second = prepare(tiny_experiment(dataset), 3), prepare(tiny_experiment(dataset, epochs=7), 3)
    assert first.group.folds == second.group.folds and first.group.fingerprint == second.group.fingerprint
    assert prepare(tiny_experiment(dataset), 2).group.fingerprint != first.group.fingerprint


def test_what_cannot_work_is_refused_before_anything_is_written(dataset: Path) -> None:
    with pytest.raises(DatasetError, match="6 subjects cannot be dealt into 7 folds"):
        prepare(tiny_experiment(dataset), 7)
    image, label = ball_case(0)
    label[label == 2] = 3
    write_nifti(dataset / "images" / "ball_00.nii.gz", image)
    write_nifti(dataset / "labels" / "ball_00.nii.gz", label)
    with pytest.raises(DatasetError, match=r"fold \d: the training part's 4 cases have no Label 3"):
        prepare(tiny_experiment(dataset), 3)
    with Catalog() as catalog:
        assert groups(catalog) == [] and catalog.runs() == []


def test_a_group_is_not_gone_on_with_on_other_images(dataset: Path) -> None:
    validation = prepare(tiny_experiment(dataset), 3)
    image, _ = ball_case(99)
    write_nifti(dataset / "images" / "ball_00.nii.gz", image)
    with pytest.raises(DatasetError, match="images have changed"):
        reopen(validation.group.id)
    (dataset / "images" / "ball_01.nii.gz").unlink()
    with pytest.raises(DatasetError, match="ball_01 is gone"):
        reopen(validation.group.id)
    with Catalog() as catalog:
        assert group(catalog, "tiny").id == validation.group.id
