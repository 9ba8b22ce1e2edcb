"""The atlas of scans without labels: anatomy is found again in each scan, and a network learns to tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import config
from core.catalog import Catalog
from core.control import JobControl
from core.data.cache import CaseCache
from core.data.plan import Plan
from core.errors import Cancelled, ModelError
from core.inference.start_weights import head_of
from core.tasks.volume_pretraining.atlas import FILE, Atlas, make
from core.tasks.volume_pretraining.kind import measure
from core.tasks.volume_pretraining.objectives.atlas import AtlasConfig
from core.tasks.volume_pretraining.patches import HiddenPatches, MiddlePatches
from core.tasks.volume_pretraining.scans import inspect
from core.training.checkpoints import load_weights
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment, write_nifti
from tests.core.tasks.volume_pretraining.making import pretraining

SIDE = 18
MIDDLE = np.array([8.5, 8.5, 8.5])


def head(moved: np.ndarray[Any, Any], side: tuple[int, ...] = (SIDE,) * 3) -> np.ndarray[Any, Any]:
    """A large blob with a bright one on one side and a dark one on another, all moved by some voxels."""
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in side], indexing="ij"))

    def blob(away: tuple[float, ...], width: float) -> Any:
        centre = (MIDDLE + away + moved).reshape(3, 1, 1, 1) * (np.array(side) > 1).reshape(3, 1, 1, 1)
        return np.exp(-((grid - centre) ** 2).sum(axis=0) / (2 * width**2))

    return (3 * blob((0, 0, 0), 4.5) + 2 * blob((3, 0, 1), 1.8) - 2 * blob((-2, 2, -2), 1.8)).astype(np.float32)


def make_heads(folder: Path, count: int = 8, side: tuple[int, ...] = (SIDE,) * 3) -> list[np.ndarray[Any, Any]]:
    """Scans of the same anatomy at other places; how many voxels each is moved."""
    moves = [np.random.default_rng(number).uniform(-2, 2, 3) for number in range(count)]
    for number, moved in enumerate(moves):
        noise = np.random.default_rng(100 + number).normal(0, 0.05, side)
        write_nifti(folder / f"head_{number}.nii.gz", head(moved, side) + noise.astype(np.float32))
    return moves


def cached(folder: Path, cache: Path, patch: tuple[int, int, int] = (16, 16, 16)) -> CaseCache:
    made = CaseCache(
        cache, inspect(folder, JobControl()).cases, Plan(spacing_mm=(1, 1, 1), patch_size=patch, labels=[])
    )
    made.fill(JobControl())
    return made


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseCache, list[np.ndarray[Any, Any]], Atlas]:
    folder = tmp_path_factory.mktemp("heads")
    moves = make_heads(folder / "scans")
    cache = cached(folder / "scans", folder / "cache")
    return cache, moves, make(cache, sorted(cache.cases), 0, JobControl()).with_scans(cache, cache.cases, JobControl())


def test_the_same_anatomy_has_the_same_place_in_every_scan(heads: Any) -> None:
    _, moves, atlas = heads
    for away in ((0, 0, 0), (3, 0, 1), (-2, 2, -2)):
        centres = [(MIDDLE + away + moved + 0.5) / SIDE * 2 - 1 for moved in moves]
        told = [atlas.places(f"head_{n}", [c[[axis]] for axis in range(3)]).ravel() for n, c in enumerate(centres)]
        assert np.std(told, axis=0).max() < 0.35 * np.std(centres, axis=0).min()


def test_the_mean_of_aligned_scans_is_sharper_than_the_plain_mean(heads: Any) -> None:
    cache, _, atlas = heads
    plain = np.mean([cache.load(id)[0] for id in cache.cases], axis=0).std()
    assert atlas.mean.std() > plain + 0.4 * (1 - plain)  # each scan's deviation is 1


def test_an_atlas_follows_from_its_scans_and_is_read_as_it_was_written(heads: Any, tmp_path: Path) -> None:
    cache, _, atlas = heads
    again = make(cache, sorted(cache.cases), 0, JobControl())
    assert np.array_equal(again.mean, atlas.mean) and not again.fields
    atlas.save(tmp_path / FILE)
    read = Atlas.load(tmp_path / FILE)
    assert np.array_equal(read.mean, atlas.mean) and read.fields.keys() == atlas.fields.keys()
    assert all(np.array_equal(read.fields[id], atlas.fields[id]) for id in read.fields)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:500])
    with pytest.raises(ModelError, match="atlas is not readable"):
        Atlas.load(tmp_path / FILE)


def test_making_an_atlas_can_be_cancelled(heads: Any) -> None:
    cache, _, _ = heads
    control = JobControl(lambda _fraction, text: control.cancel() if "mean scan" in text else None)
    with pytest.raises(Cancelled):
        make(cache, sorted(cache.cases), 0, control)


def test_patches_carry_the_anatomy_of_their_voxels_however_they_are_turned(heads: Any) -> None:
    cache, _, atlas = heads
    augment = {"flip_axes": ["x"], "rotate_deg": 20, "scale": 0.2, "intensity": 0}
    tree = config.to_tree(pretraining(cache.folder, data={"augment": augment}))
    experiment = config.parse(tree | {"ssl": {"name": "atlas"}})
    middle = MiddlePatches(cache, ["head_0"], experiment, atlas)[0]
    seen = torch.nn.functional.grid_sample(  # the mean at the told places looks like the scan
        torch.from_numpy(atlas.mean)[None], middle["anatomy"].flip(0).permute(1, 2, 3, 0)[None], align_corners=False
    )[0]
    assert np.corrcoef(seen.ravel(), middle["target"].ravel())[0, 1] > 0.95
    patches = HiddenPatches(cache, list(cache.cases), experiment, atlas)
    for place in range(8):
        item = patches[0, place, place % 8]
        inside = item["places"][3] == 1
        seen = torch.nn.functional.grid_sample(
            torch.from_numpy(atlas.mean)[None], item["anatomy"].flip(0).permute(1, 2, 3, 0)[None], align_corners=False
        )[0]
        assert np.corrcoef(seen[0][inside], item["target"][0][inside])[0, 1] > 0.9


def test_the_loss_is_least_where_the_anatomy_is_told(heads: Any) -> None:
    cache, _, atlas = heads
    objective = AtlasConfig(steps=5)
    tree = config.to_tree(pretraining(cache.folder)) | {"ssl": {"name": "atlas", "steps": 5}}
    item = MiddlePatches(cache, ["head_1"], config.parse(tree), atlas)[0]
    batch = {key: value[None] for key, value in item.items() if key != "case"}
    assert 0.08 < batch["counts"].mean() < 0.18
    nodes = torch.linspace(-1, 1, 5).view(1, 1, 5, 1, 1, 1)
    right = -12 * (batch["anatomy"][:, :, None] - nodes).square().flatten(1, 2)
    none = torch.zeros_like(right)
    assert objective.loss(right, batch) < 0.75 * objective.loss(none, batch)
    assert objective.loss(none, batch).item() == pytest.approx(np.log(5), abs=1e-4)
    image, lying, told = objective.pictures(right, batch)
    assert image.shape == lying.shape == told.shape == (16, 16, 16) and (lying == told).float().mean() > 0.7


def learning(folder: Path, **trainer: Any) -> Any:
    tree = config.to_tree(
        pretraining(folder, model={"channels": [8, 16, 16]}, trainer={"epochs": 6, "patches_per_case": 8} | trainer)
    )
    return config.parse(tree | {"ssl": {"name": "atlas", "steps": 6}, "optimizer": {"name": "adamw", "lr": 5e-3}})


def test_a_network_learns_the_anatomy_and_a_segmentation_begins_with_it(tmp_path: Path) -> None:
    make_heads(tmp_path / "scans")
    run = execute(prepare_run(learning(tmp_path / "scans")))
    assert run.state == "finished"
    assert len(Atlas.load(run.folder / FILE).fields) == 8
    preview = np.load(run.folder / "previews" / "epoch_0006.npz", allow_pickle=False)
    assert preview["image"].shape == (3 * 16 + 4, 16) and "chequers" in str(preview["caption"])
    answer = measure(run, tmp_path / "scans", None, JobControl())
    assert answer["metrics"]["test/loss"] < 0.85 * answer["metrics"]["test/loss_of_mean"]
    with Catalog() as catalog:
        best = catalog.checkpoint(run.id, "best")
    assert best is not None
    given = load_weights(best.path)
    tree = config.to_tree(tiny_experiment(make_dataset(tmp_path / "data", cases=6), epochs=1))
    tree["model"]["channels"], tree["task"]["start_from"] = [8, 16, 16], run.id
    tree["optimizer"]["lr"] = 1e-9  # so that what it began with is still to be seen
    tree["trainer"]["ema"] = 0
    tuned = execute(prepare_run(config.parse(tree)))
    with Catalog() as catalog:
        row = catalog.checkpoint(tuned.id, "last")
    assert row is not None
    body, head = load_weights(row.path), head_of(config.parse(tree).model, 1)
    assert all(torch.allclose(body[name], given[name], atol=1e-5) for name in body.keys() - head)


def test_a_run_that_is_gone_on_with_has_the_atlas_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.tasks.volume_pretraining.session import session

    make_heads(tmp_path / "scans", 4)
    run = execute(prepare_run(learning(tmp_path / "scans", epochs=1, patches_per_case=1)))
    monkeypatch.setattr("core.tasks.volume_pretraining.atlas.mean_of", lambda *_: pytest.fail("made again"))
    session(config.load(run.folder / "experiment.yaml"), run, JobControl())


def test_the_encoder_of_a_swin_network_learns_it_too(tmp_path: Path) -> None:
    make_heads(tmp_path / "scans", 4)
    tree = config.to_tree(learning(tmp_path / "scans", epochs=1, patches_per_case=1))
    swin = {"name": "swin_unet", "fine": 4, "width": 6, "depths": [1, 1], "heads": [1, 2], "window": 3}
    run = execute(prepare_run(config.parse(tree | {"model": swin})))
    assert run.state == "finished"
    with Catalog() as catalog:
        best = catalog.checkpoint(run.id, "best")
    assert best is not None and any(name.startswith("encoder.") for name in load_weights(best.path))


@pytest.mark.parametrize("side", [(SIDE, SIDE, 1), (SIDE, 12, 9)])
def test_slices_and_scans_of_any_shape_have_an_atlas(tmp_path: Path, side: tuple[int, ...]) -> None:
    make_heads(tmp_path / "scans", 4, side)
    cache = cached(tmp_path / "scans", tmp_path / "cache")
    atlas = make(cache, sorted(cache.cases), 0, JobControl()).with_scans(cache, cache.cases, JobControl())
    places = atlas.places("head_0", [np.zeros(n) for n in side])
    assert atlas.mean.shape == (1, *side) and places.shape == (3, *side) and np.isfinite(places).all()
    assert side[2] > 1 or not places[2].any()


def test_more_scans_than_the_mean_is_made_of_are_aligned_to_it(heads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, _, _ = heads
    monkeypatch.setattr("core.tasks.volume_pretraining.atlas.MOST_SCANS", 3)
    atlas = make(cache, sorted(cache.cases), 0, JobControl()).with_scans(cache, cache.cases, JobControl())
    assert atlas.fields.keys() == cache.cases.keys()
