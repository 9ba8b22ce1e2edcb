"""A large scan looked at coarsely first: the same answer from fewer windows, and only where that is safe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.catalog import Catalog
from core.cli import main
from core.data.plan import Label, Plan, load_plan
from core.inference.package import ModelPackage
from core.inference.region_first import Windows, order, safe
from core.inference.runtime.on_torch import TorchRuntime
from core.inference.sliding import probabilities, starts
from core.training.launch import prepare_run
from tests.core.inference.making import Smooth, balls
from tests.core.making import make_dataset, tiny_experiment, write_nifti

Array = np.ndarray[Any, Any]


def dice(one: Array, other: Array) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize(
    "centres",
    [
        [(20, 24, 70), (60, 24, 70)],
        [(32, 32, 32), (64, 64, 64)],  # where eight windows of the coarse pass meet
        [(4, 4, 4), (91, 91, 91)],
    ],
)
def test_the_answer_is_the_same_from_fewer_windows(centres: list[tuple[int, int, int]]):
    truth = balls(96, centres, 7)
    image = (truth + np.random.default_rng(0).normal(0, 0.3, truth.shape)).astype(np.float32)[None]
    runtime, few = TorchRuntime(Smooth()), Windows()
    every = probabilities(runtime, image, patch=(16, 16, 16))
    found = probabilities(runtime, image, patch=(16, 16, 16), region_first=True, windows=few)
    assert few.whole == len(starts(96, 16)) ** 3 and few.asked < 0.4 * few.whole
    marked, usual = found[1] > 0.5, every[1] > 0.5
    assert abs(dice(marked, truth) - dice(usual, truth)) <= 0.002
    assert np.abs(found - every)[:, usual].max() < 1e-5
    assert "windows" in few.findings()[0].message


def test_a_structure_that_fills_the_scan_costs_no_more_than_without():
    image = np.ones((1, 48, 48, 48), np.float32)
    few = Windows()
    runtime = TorchRuntime(Smooth())
    found = probabilities(runtime, image, patch=(16, 16, 16), region_first=True, windows=few)
    assert few.asked == few.whole and few.findings() == []
    assert np.abs(found - probabilities(runtime, image, patch=(16, 16, 16))).max() < 1e-5


def test_regions_that_overlap_have_no_background_to_go_by():
    truth = balls(64, [(20, 24, 40)], 6)
    image = truth.astype(np.float32)[None]

    class Yes(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return Smooth()(image)[:, 1:]

    runtime, few = TorchRuntime(Yes(), activation="sigmoid"), Windows()
    found = probabilities(runtime, image, patch=(16, 16, 16), region_first=True, overlapping=True, windows=few)
    assert few.asked < 0.5 * few.whole
    assert np.array_equal(found > 0.5, probabilities(runtime, image, patch=(16, 16, 16)) > 0.5)


@pytest.mark.parametrize("length", [33, 40, 64, 95, 200])
def test_the_coarse_pass_leaves_no_voxel_out(length: int):
    first, rest = order([starts(length, 16)], [16], True)
    seen = np.zeros(length, bool)
    for (start,) in first:
        seen[start : start + 16] = True
    assert seen.all() and len(first) + len(rest) == len(starts(length, 16))


def test_a_network_of_slices_sees_every_slice_in_its_coarse_pass():
    image = balls(64, [(20, 24, 7)], 5)[None, :, :, :15].astype(np.float32)

    class Bright(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.cat([torch.zeros_like(image), 12 * (image - 0.5)], dim=1)

    few = Windows()
    every = probabilities(TorchRuntime(Bright()), image, patch=(16, 16, 1))
    found = probabilities(TorchRuntime(Bright()), image, patch=(16, 16, 1), region_first=True, windows=few)
    assert few.asked < few.whole and np.allclose(found, every, atol=1e-6)


def test_two_windows_a_side_are_all_taken_at_once():
    assert order([[0, 8]] * 3, [16] * 3, True)[1] == [] and order([[0, 8, 16]] * 3, [16] * 3, False)[1] == []


def test_it_is_safe_where_the_smallest_structure_is_not_tiny():
    plan = Plan(spacing_mm=(1, 1, 1), patch_size=(64, 64, 64), labels=[Label(value=1, name="One")])
    assert not safe(plan)  # not known
    assert not safe(plan.model_copy(update={"smallest_voxels": 100}))
    assert safe(plan.model_copy(update={"smallest_voxels": 600}))


def test_the_plan_knows_the_smallest_structure(tmp_path: Path):
    data = make_dataset(tmp_path / "data")
    with Catalog() as catalog:
        plan = load_plan(catalog.run(prepare_run(tiny_experiment(data))).folder)
    assert plan.smallest_voxels is not None and 50 < plan.smallest_voxels < 300


def test_it_is_asked_for_on_the_command_line(
    make_package: Callable[..., ModelPackage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    make_package()
    scan = write_nifti(tmp_path / "scan.nii.gz", (1000 * balls(48, [(12, 12, 12)], 6)).astype(np.int16))

    def told(*more: str) -> dict[str, Any]:
        args = ["predict", str(scan), "--model", "bright", "--out", str(tmp_path / "out"), "--json", *more]
        assert main(args) == 0
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)["predictions"][0]
        return answer

    usual, first = told(), told("--roi", "always")
    assert usual["structures"] == first["structures"]
    assert "region_first" in {one["code"] for one in first["findings"]} - {one["code"] for one in usual["findings"]}
