"""Mirrorings shared out among overlapping windows: most of what all of them give, and only where there is something."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from core.inference import cost
from core.inference.mirroring import EACH, Ways, mirrors, shared_out, ways
from core.inference.region_first import Windows
from core.inference.runtime.on_torch import TorchRuntime
from core.inference.sliding import probabilities, starts
from tests.core.inference.making import Smooth, balls

Array = np.ndarray[Any, Any]


class Crooked(torch.nn.Module):
    """As `Smooth`, but what it sees it puts a voxel too far along every axis, as a net that is not quite trained."""

    asked = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return Smooth()(torch.roll(image, (1, 1, 1), (2, 3, 4)))


def scene(centres: list[tuple[int, int, int]], size: int = 48) -> tuple[Array, Array]:
    truth = balls(size, centres, 7)
    return truth, truth.astype(np.float32)[None]


def wrong(found: Array, truth: Array) -> int:
    return int(((found[1] > 0.5) != truth).sum())


def test_a_few_ways_in_each_window_mend_most_of_what_all_ways_mend():
    truth, image = scene([(14, 16, 15), (33, 30, 32)])
    network = Crooked()

    def answer(mirror: Any) -> tuple[Array, int]:
        network.asked = 0
        found = probabilities(TorchRuntime(network), image, patch=(16, 16, 16), mirror_axes="xyz", mirror=mirror)
        return found, network.asked

    plain, once = answer(False)
    shared, some = answer("structures")
    every, all_ways = answer(True)
    assert all_ways == 8 * once and some <= (1 + EACH) * once
    assert wrong(shared, truth) < wrong(plain, truth)
    assert np.abs(shared - every).mean() < 0.6 * np.abs(plain - every).mean()


def test_only_windows_with_a_structure_well_inside_are_asked_again():
    _, image = scene([(14, 16, 15)], size=80)
    network, count = Crooked(), Windows()
    how: dict[str, Any] = {"patch": (16, 16, 16), "mirror_axes": "xyz"}
    found = probabilities(TorchRuntime(network), image, mirror="structures", windows=count, **how)
    assert 0 < count.mirrored < count.whole / 10
    assert network.asked == count.whole + EACH * count.mirrored
    plain = probabilities(TorchRuntime(network), image, mirror=False, **how)
    assert np.abs(found - plain)[:, 40:].max() < 1e-6 and np.abs(found - plain).max() > 0.1


def test_with_the_region_of_interest_first_other_windows_are_never_looked_at():
    truth, image = scene([(14, 16, 15)], size=80)
    count = Windows()
    found = probabilities(
        TorchRuntime(Smooth()), image, patch=(16, 16, 16), mirror_axes="x", mirror="structures", region_first=True,
        windows=count,
    )  # fmt: skip
    assert count.asked < count.whole / 2 and 0 < count.mirrored <= count.asked
    assert wrong(found, truth) <= wrong(probabilities(TorchRuntime(Smooth()), image, patch=(16, 16, 16)), truth)


def test_one_axis_is_mirrored_in_every_window_with_a_structure():
    image = np.random.default_rng(0).normal(1, 1, (1, 40, 40, 40)).astype(np.float32)  # something everywhere
    how: dict[str, Any] = {"patch": (16, 16, 16), "mirror_axes": "x"}
    both, shared = (
        probabilities(TorchRuntime(Crooked()), image, mirror=mirror, **how) for mirror in (True, "structures")
    )
    assert np.allclose(both, shared, atol=1e-6)


def test_windows_that_overlap_share_all_ways():
    begins = [starts(40, 16)] * 3
    places = [(x, y, z) for x in begins[0] for y in begins[1] for z in begins[2]]
    shared = mirrors("xyz")[1:]
    asked = shared_out(places, begins, (16, 16, 16), np.ones((40,) * 3, bool), Ways(shared=shared))
    around = {(x, y, z) for x in begins[0][:2] for y in begins[1][:2] for z in begins[2][:2]}  # they meet in one voxel
    taken = [flip for place, flip in asked if place in around]
    assert set(taken) == set(shared) and max(map(taken.count, shared)) - min(map(taken.count, shared)) <= 1
    assert len(asked) == EACH * len(places)


def test_a_small_scan_is_mirrored_in_every_way_unless_never():
    assert ways("xyz", "structures", small=True) == ways("xyz", True, small=False)
    assert len(ways("xyz", None, small=True).every) == 8
    assert ways("xyz", False, small=True) == ways("xyz", None, small=False) == Ways()


def test_what_it_costs_is_said():
    from types import SimpleNamespace

    manifest = SimpleNamespace(members=None, mirror_axes=["x", "y", "z"])
    package: Any = SimpleNamespace(manifest=manifest, left_out=0)
    assert cost.sentence(package, "structures") == (
        f"up to {1 + EACH} mirrorings where the structures are: at most {1 + EACH} × the time of one pass."
    )
    assert "where the structures are" in cost.findings(package, "structures")[0].message
    manifest.mirror_axes = []
    assert cost.sentence(package, "structures") == "" and cost.findings(package, "structures") == []
