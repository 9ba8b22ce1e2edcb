"""Stays cut short in training, heads whose weights change with time, and members that weigh stays at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core import config
from core.data.stays.batches import Draws, StayRows
from core.data.stays.coding import fit_coding
from core.data.stays.grid import grid
from core.data.stays.read import read_stays
from core.tasks.finetuning.heads import LinearHeadConfig
from core.tasks.finetuning.resampling import shortened, weights_of_members
from core.training.launch import execute, prepare_run
from tests.core.stays import make_stays, tree


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> StayRows:
    stays = read_stays(make_stays(tmp_path_factory.mktemp("stays"), 200))
    coding = fit_coding(stays, ["HR", "Lactate", "Temp"], [], step_hours=1, max_hours=24, clip=5)
    return StayRows(coding, grid(coding, stays))


def test_a_share_of_stays_ends_early_and_nothing_later_is_left(rows: StayRows) -> None:
    whole = rows.stays(torch.arange(200))
    cut = shortened(whole, Draws(0, 1, 2, 0, 200, 200), 0.5)
    before, after = (~whole.padding).sum(1), (~cut.padding).sum(1)
    assert (after >= 1).all() and (after <= before).all()
    assert 70 < int((after < before).sum()) < 120
    assert not cut.observed[cut.padding].any() and not cut.values[cut.padding].any()
    inside = ~cut.padding
    assert torch.equal(cut.observed[inside], whole.observed[inside]) and torch.equal(
        cut.values[inside], whole.values[inside]
    )
    share = (after.float() / before)[after < before]
    assert 0.35 < float(share.mean()) < 0.65  # no time is likelier
    assert shortened(whole, Draws(0, 1, 2, 0, 200, 200), 0) is whole


def test_two_processes_cut_the_same_stays(rows: StayRows) -> None:
    whole = shortened(rows.stays(torch.arange(40), 24), Draws(3, 1, 2, 0, 40, 40), 0.5)
    second = shortened(rows.stays(torch.arange(20, 40), 24), Draws(3, 1, 2, 20, 20, 40), 0.5)
    assert torch.equal(whole.padding[20:], second.padding)


def test_whole_stays_see_only_the_weights_of_whole_stays() -> None:
    torch.manual_seed(0)
    head = LinearHeadConfig(dropout=0).build(4, 3, 1)
    described = torch.cat([torch.randn(50, 7), torch.full((50, 1), 3.8)], dim=1)
    head[0].fit(described)
    torch.nn.init.normal_(head[-1].weight)
    whole = head(described)
    head[-1].weight.data[:, 7:] += 5  # those of change
    torch.testing.assert_close(head(described), whole)
    described[:, -1] = 2.0
    assert not torch.allclose(head(described), whole, atol=0.1)


def test_members_weigh_the_stays_differently_but_equally_on_the_whole() -> None:
    weights = weights_of_members(20, 5000, 3)
    assert torch.equal(weights, weights_of_members(20, 5000, 3))
    assert weights.mean(1).numpy() == pytest.approx(np.ones(20), abs=0.06)
    assert abs(float(torch.corrcoef(weights[:2])[0, 1])) < 0.05


def test_resampled_heads_of_one_encoder_differ(tmp_path: Path) -> None:
    from core.training.checkpoints import load_weights

    apart = {}
    for resample in (True, False):
        settings = tree("finetuning", make_stays(tmp_path), task={"mode": "probe", "members": 3, "resample": resample})
        settings["task"]["head"] = {"name": "linear", "dropout": 0.0}
        weights = load_weights(execute(prepare_run(config.parse(settings))).folder / "checkpoints" / "last.ckpt")
        one, two = (weights[f"heads.{n}.3.weight"] for n in range(2))
        apart[resample] = float((one - two).norm() / one.norm())
    assert apart[True] > 2 * apart[False]


def test_an_early_answer_that_is_too_sure_is_cooled() -> None:
    from core.metrics.calibration import tempered

    sure = np.array([[0.1, 0.9], [0.1, 0.9]])
    part = np.array([[1.0], [0.125]])
    found = tempered(sure, part**-0.3)
    assert found[0, 1] == pytest.approx(0.9) and 0.5 < found[1, 1] < 0.8


def test_the_spread_of_members_is_the_interval_and_the_same_each_time(rows: StayRows, tmp_path: Path) -> None:
    from core.tasks.finetuning.answering import answer, doubt
    from core.tasks.finetuning.publishing import package_of

    settings = tree("finetuning", make_stays(tmp_path), task={"mode": "probe", "members": 6})
    with package_of(execute(prepare_run(config.parse(settings)))) as package:
        network, coding = package.load(), package.manifest.coding
        stays = read_stays(tmp_path)
        batch = StayRows(coding, grid(coding, stays)).stays(torch.arange(20))
        point = answer(package.manifest, network, batch)
        low, high = doubt(package.manifest, network, batch)
        again = doubt(package.manifest, network, batch)
    assert (low <= point).all() and (point <= high).all() and (high - low).max() > 0
    assert np.array_equal(low, again[0]) and np.array_equal(high, again[1])
