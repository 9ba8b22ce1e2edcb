"""Pretraining on scans without labels: what is found, hidden and learned, and what becomes of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import config
from core.catalog import Catalog
from core.cli import main
from core.control import JobControl
from core.data.cache import CaseCache
from core.data.plan import Plan, load_plan
from core.data.split import load_split
from core.errors import ConfigError, DatasetError, ModelError
from core.inference.kinds import find_model
from core.registry import parts
from core.tasks.volume_pretraining.objectives.masked import MaskedConfig, blocks
from core.tasks.volume_pretraining.objectives.restored import RestoredConfig, bend
from core.tasks.volume_pretraining.patches import HiddenPatches, places
from core.tasks.volume_pretraining.preview import side_by_side
from core.tasks.volume_pretraining.scans import inspect
from core.training import control
from core.training.checkpoints import load_weights
from core.training.launch import execute, prepare_run
from core.training.recorder import Recorder
from tests.core.making import make_dataset, write_nifti
from tests.core.tasks.volume_pretraining.making import make_scans, pretraining


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    return make_scans(tmp_path / "scans")


def test_a_run_fills_the_catalog_and_draws_what_the_network_makes_of_a_scan(scans: Path) -> None:
    run = execute(prepare_run(pretraining(scans)))
    assert run.state == "finished" and set(run.summary) == {"epoch", "val/loss"}
    split, plan = load_split(run.folder), load_plan(run.folder)
    assert len(split["train"]) == 4 and len(split["val"]) == 2 and plan.labels == []
    assert len(json.loads((run.folder / "seen.json").read_text())) == 6
    preview = np.load(run.folder / "previews" / "epoch_0002.npz", allow_pickle=False)
    assert preview["image"].shape == (3 * 16 + 4, 16) and "loss" in str(preview["caption"])
    with Catalog() as catalog:
        best = catalog.checkpoint(run.id, "best")
    assert best is not None and best.metric == "val/loss" and best.value == run.summary["val/loss"]


def test_a_resumed_run_learns_what_an_uninterrupted_one_would(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.training.recorder.LAST_CHECKPOINT_SECONDS", 0.0)
    whole = execute(prepare_run(pretraining(scans, trainer={"epochs": 3})))
    run_id = prepare_run(pretraining(scans, trainer={"epochs": 3}))
    with monkeypatch.context() as patch:
        end = Recorder.on_train_epoch_end

        def stop_after_one(self: Recorder, trainer: Any, module: Any) -> None:
            end(self, trainer, module)
            control.request(run_id, "stop")

        patch.setattr(Recorder, "on_train_epoch_end", stop_after_one)
        stopped = execute(run_id)
    assert stopped.state == "stopped" and stopped.epoch == 1
    again = execute(run_id, resume=True)
    assert again.state == "finished" and again.summary["val/loss"] == pytest.approx(whole.summary["val/loss"], abs=1e-6)


def test_hidden_blocks_are_told_better_than_by_the_mean(tmp_path: Path) -> None:
    folder = tmp_path / "smooth"
    grid = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"))
    for number in range(6):  # waves in three directions: what is hidden follows from what is seen
        phase = np.random.default_rng(number).uniform(0, 6, 3).reshape(3, 1, 1, 1)
        write_nifti(folder / f"wave_{number}.nii.gz", np.sin(grid * 0.4 + phase).sum(axis=0).astype(np.float32))
    experiment = pretraining(
        folder, model={"channels": [8, 16, 16]},
        trainer={"epochs": 12, "patches_per_case": 8, "validate_every": 12},
    )  # fmt: skip
    tree = config.to_tree(experiment) | {"optimizer": {"name": "adamw", "lr": 5e-3}}
    run = execute(prepare_run(config.parse(tree)))
    answer = main_json(["evaluate", run.id, str(folder), "--split", "val", "--json"])
    assert answer["metrics"]["test/loss"] < 0.7 * answer["metrics"]["test/loss_of_mean"]
    assert answer["trained_on"] == 0 == len(answer["cases"]) - 2
    assert {case["case"] for case in answer["cases"]} == set(load_split(run.folder)["val"])


def main_json(arguments: list[str]) -> dict:  # type: ignore[type-arg]
    import contextlib
    import io

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert main(arguments) == 0
    return json.loads(text.getvalue())  # type: ignore[no-any-return]


@pytest.mark.parametrize("objective", sorted(parts("volume_ssl")))
def test_every_objective_follows_from_its_draws_and_keeps_the_shape(objective: str) -> None:
    image = torch.randn(1, 12, 9, 1, generator=torch.Generator().manual_seed(0))
    before = image.clone()
    part: Any = parts("volume_ssl")[objective]
    chosen = part.model_validate({"name": objective} | ({"block": 4} if "block" in part.model_fields else {}))
    (seen, counts), again, other = (chosen.hide(image, np.random.default_rng(s)) for s in (1, 1, 2))
    assert torch.equal(image, before) and torch.equal(seen, again[0]) and torch.equal(counts, again[1])
    assert not (torch.equal(seen, other[0]) and torch.equal(counts, other[1]))
    assert seen.shape == image.shape and counts.shape == (1, 12, 9, 1) and seen.isfinite().all()


def test_the_asked_share_of_blocks_is_hidden_and_only_that_counts() -> None:
    shares = [blocks((32, 48, 32), 8, 0.6, np.random.default_rng(seed)).mean() for seed in range(20)]
    assert np.mean(shares) == pytest.approx(0.6, abs=0.02)
    image = torch.ones(1, 16, 16, 16)
    seen, counts = MaskedConfig().hide(image, np.random.default_rng(0))
    assert torch.equal(seen, 1 - counts) and 0 < counts.mean() < 1


def test_bent_grey_values_keep_or_turn_their_order() -> None:
    image = torch.linspace(-2, 2, 64).reshape(1, 4, 4, 4)
    for seed in range(8):
        steps = bend(image, np.random.default_rng(seed)).flatten().diff()
        assert (steps >= -1e-6).all() or (steps <= 1e-6).all()
    assert torch.equal(bend(torch.ones(1, 2, 2, 2), np.random.default_rng(0)), torch.ones(1, 2, 2, 2))


def test_restoring_counts_everywhere() -> None:
    _, counts = RestoredConfig().hide(torch.randn(1, 8, 8, 8), np.random.default_rng(0))
    assert counts.min() == 1


def test_a_voxels_place_stays_the_one_it_has_in_its_scan(tmp_path: Path) -> None:
    size = 20
    coordinates = (np.arange(size) + 0.5) / size * 2 - 1
    ramp = np.broadcast_to(coordinates[:, None, None], (size,) * 3)
    for number in range(3):  # scans whose value is the place along x
        write_nifti(tmp_path / f"ramp_{number}.nii.gz", ramp.astype(np.float32) * (1 + number))
    plan = Plan(spacing_mm=(1, 1, 1), patch_size=(8, 8, 8), labels=[])
    cache = CaseCache(tmp_path / "cache", inspect(tmp_path, JobControl()).cases, plan)
    cache.fill(JobControl())
    augment = {"flip_axes": ["y"], "rotate_deg": 30, "scale": 0.3, "intensity": 0}
    patches = HiddenPatches(cache, list(cache.cases), pretraining(tmp_path, data={"augment": augment}))
    slope = float(np.polyfit(coordinates, cache.load("ramp_0")[0][0, :, 0, 0], 1)[0])
    for place in range(12):
        item = patches[0, place, place % 3]
        inside = item["places"][3] == 1
        assert inside.any()
        off = (item["target"][0] / slope - item["places"][0])[inside].abs()
        assert off.median() < 0.5 / size + 0.02  # places are those of the nearest voxels
    mirrored = HiddenPatches(cache, ["ramp_0"], pretraining(tmp_path, data={"augment": {"flip_axes": ["x"]}}))
    where = torch.from_numpy(places((20, 20, 20), (8, 8, 8), (4, 10, 10)))
    turned = mirrored.turned(where, [1])
    assert torch.equal(turned[0], -where[0].flip(0)) and torch.equal(turned[1], where[1].flip(0))


def test_places_and_hidden_blocks_are_learned_together(scans: Path) -> None:
    experiment = pretraining(scans, ssl={"name": "placed", "block": 4}, model={"deep_supervision": True})
    run = execute(prepare_run(experiment))
    assert run.state == "finished"
    with Catalog() as catalog:
        best = catalog.checkpoint(run.id, "best")
    assert best is not None and len(load_weights(best.path)["output_block.conv.conv.bias"]) == 4


def test_pictures_stand_from_right_to_left_for_a_view_from_the_front() -> None:
    first, second = np.full((2, 3), 5.0), np.full((2, 3), 1.0)
    assert side_by_side([first, second])[-1, 0] == 5.0 and side_by_side([first, second])[0, 0] == 5.0  # clipped


def test_the_images_of_a_labelled_set_have_the_parts_that_a_segmentation_of_it_has(tmp_path: Path) -> None:
    from core.data.dataset import inspect as inspect_labelled
    from core.data.split import draw
    from core.tasks.volume_pretraining.preparing import planned

    folder = make_dataset(tmp_path / "data", cases=8, names=("imagesTr", "labelsTr"))
    make_scans(folder / "imagesTs", 3)
    (folder / "labelsTr" / "ball_07.nii.gz").unlink()  # an image without labels is trained on
    found = inspect(folder, JobControl())
    _, split = planned(pretraining(folder, data={"test_fraction": 0.3, "val_fraction": 0.3}), found)
    same = draw(inspect_labelled(folder), val_fraction=0.3, test_fraction=0.3, seed=0)
    assert split.test == same.test and split.val == same.val
    assert set(split.train) - set(same.train) == {"imagesTr_ball_07", *(f"imagesTs_scan_{n:02d}" for n in range(3))}


def test_a_further_scan_that_holds_a_test_image_is_left_out(tmp_path: Path) -> None:
    from core.tasks.volume_pretraining.preparing import planned

    folder = make_dataset(tmp_path / "data", cases=6, names=("imagesTr", "labelsTr"))
    (folder / "imagesTs").mkdir()
    for image in (folder / "imagesTr").iterdir():
        (folder / "imagesTs" / f"copy_{image.name}").write_bytes(image.read_bytes())
    _, split = planned(pretraining(folder, data={"test_fraction": 0.3}), inspect(folder, JobControl()))
    assert len(split.test) == 2 and not any(id.endswith(test) for id in split.train for test in split.test)
    assert len([id for id in split.train if "copy" in id]) == 4


def test_scans_below_a_folder_are_found_and_unusable_ones_left_out(scans: Path) -> None:
    write_nifti(scans / "deep" / "scan_00.nii.gz", np.random.default_rng(0).normal(size=(9, 9, 9)).astype(np.float32))
    write_nifti(scans / "flat.nii.gz", np.ones((8, 8, 8), np.float32))
    write_nifti(scans / "moving.nii.gz", np.zeros((8, 8, 8, 4), np.float32))
    (scans / "torn.nii.gz").write_bytes(b"\x1f\x8b not a scan")
    found = inspect(scans, JobControl())
    assert "deep_scan_00" in found.facts and len(found.facts) == 7 and found.usable
    assert {finding.code for finding in found.findings} == {"constant", "not-3d", "unreadable"}


@pytest.mark.parametrize("count", [0, 1])
def test_a_folder_with_too_few_scans_is_refused(tmp_path: Path, count: int) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    make_scans(folder, count)
    (folder / "notes.txt").write_text("no scan")
    with pytest.raises(DatasetError, match=r"no scans were found|at least two"):
        prepare_run(pretraining(folder))
    with Catalog() as catalog:
        assert catalog.runs() == []


def test_a_block_as_large_as_the_patch_is_refused(scans: Path) -> None:
    with pytest.raises(ConfigError, match=r"ssl\.block"):
        prepare_run(pretraining(scans, ssl={"block": 16}))


def test_a_pretrained_network_is_published_and_says_that_it_finds_nothing(scans: Path, tmp_path: Path) -> None:
    execute(prepare_run(pretraining(scans)))
    shown = main_json(["models", "publish", "pre", "--json"])
    assert shown["task"] == "volume_pretraining" and shown["training"]["cases"]["train"] == 4
    package = find_model("pre")
    assert "finds nothing by itself" in package.card and len(package.as_dict()["training"]["seen"]) == 6
    assert main(["predict", str(scans / "scan_00.nii.gz"), "--model", "pre", "--out", str(tmp_path / "out")]) == 2


def test_deep_supervision_and_slices_are_pretrained_too(scans: Path, tmp_path: Path) -> None:
    deep = execute(prepare_run(pretraining(scans, model={"deep_supervision": True}, trainer={"epochs": 1})))
    flat = tmp_path / "flat"
    for number in range(4):
        picture = np.random.default_rng(number).normal(size=(16, 16, 1)).astype(np.float32)
        write_nifti(flat / f"slice_{number}.nii.gz", picture)
    experiment = pretraining(flat, data={"patch_size": [16, 16, 1]}, trainer={"epochs": 1})
    single = execute(prepare_run(experiment))
    assert deep.state == single.state == "finished"
    assert load_plan(single.folder).patch_size == (16, 16, 1)


def test_a_run_without_checkpoint_cannot_be_published(scans: Path) -> None:
    run_id = prepare_run(pretraining(scans))
    from core.tasks.volume_pretraining.kind import PretrainedModels

    with Catalog() as catalog:
        run = catalog.run(run_id)
    with pytest.raises(ModelError, match="no checkpoint"):
        PretrainedModels().publish(run)


def test_scans_of_several_channels_are_pretrained_with_as_many(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data", cases=4, names=("imagesTr", "labelsTr"))
    for image in list((folder / "imagesTr").iterdir()):
        stem = image.name.removesuffix(".nii.gz")
        other = np.random.default_rng(len(stem)).normal(size=(16, 16, 16)).astype(np.float32)
        write_nifti(folder / "imagesTr" / f"{stem}_0001.nii.gz", other)
        image.rename(folder / "imagesTr" / f"{stem}_0000.nii.gz")
    run = execute(prepare_run(pretraining(folder, trainer={"epochs": 1})))
    assert run.state == "finished" and load_plan(run.folder).channels == 2
    with Catalog() as catalog:
        best = catalog.checkpoint(run.id, "best")
    assert best is not None and load_weights(best.path)["output_block.conv.conv.weight"].shape[0] == 2
