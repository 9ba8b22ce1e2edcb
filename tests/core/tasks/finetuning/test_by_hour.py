"""What is told of early answers: figures by hour, cooling fitted to them, and what intervals hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import config
from core.data.stays.batches import StayRows
from core.data.stays.coding import Scaling, StayCoding
from core.data.stays.grid import Grid, grid
from core.data.stays.read import read_stays
from core.models.nets.stays import StayBatch
from core.tasks.finetuning.by_hour import fit_cooling, measure_by_hour, until
from core.tasks.finetuning.outcome import Target
from core.tasks.finetuning.package import StayManifest
from core.tasks.finetuning.preparing import load_target
from core.tasks.finetuning.publishing import package_of
from core.training.launch import execute, prepare_run
from tests.core.stays import make_stays, tree

STEPS = 24


class TooSureEarly:
    """Knows the log odds of each stay, and exaggerates them the more, the less of it has passed."""

    def __call__(self, stays: StayBatch) -> torch.Tensor:
        part = (~stays.padding).sum(1) / STEPS
        return (stays.statics[:, 0] * part**-0.5)[None, :, None]


@pytest.fixture(scope="module")
def known() -> tuple[StayManifest, StayRows, Any]:
    rng = np.random.default_rng(0)
    odds = rng.normal(-1, 1.5, 3000)
    truth = (rng.random(3000) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    coding = StayCoding(variables=[Scaling(name="HR")], step_hours=2, steps=STEPS)
    empty = np.zeros((3000, STEPS, 1), np.float32)
    cells = Grid(empty, empty.astype(bool), np.full(3000, STEPS), odds[:, None].astype(np.float32))
    target = Target(kind="binary", columns=["died"], classes=["0", "1"])
    manifest = StayManifest.model_construct(
        target=target, coding=coding, temperature=1.0, cooling=0.0, threshold=0.5, members=1
    )
    return manifest, StayRows(coding, cells), truth


def test_early_answers_that_are_too_sure_are_cooled_to_what_comes_true(known: Any) -> None:
    manifest, rows, truth = known
    cooling = fit_cooling(manifest, TooSureEarly(), rows, truth)
    assert cooling == pytest.approx(-0.5, abs=0.06)
    before, after = (
        measure_by_hour(made, TooSureEarly(), rows, truth, intervals=False)
        for made in (manifest, manifest.model_copy(update={"cooling": cooling}))
    )
    assert [of["hours"] for of in after] == [6, 12, 24, 48]
    assert after[0]["calibration"]["slope"] == pytest.approx(1, abs=0.12)
    assert after[0]["metrics"]["ece"] < before[0]["metrics"]["ece"] / 2
    assert after[-1]["metrics"] == before[-1]["metrics"]  # whole stays are as they were


def test_a_stay_until_an_hour_has_whole_steps_only(known: Any) -> None:
    manifest, rows, _ = known
    assert (~until(manifest, rows, torch.arange(5), 7.0).padding).sum(1).tolist() == [3] * 5
    assert (~until(manifest, rows, torch.arange(5), 0.5).padding).sum(1).tolist() == [1] * 5


def test_intervals_of_a_number_hold_the_truths_they_should(tmp_path: Path) -> None:
    settings = tree(
        "finetuning",
        make_stays(tmp_path, 80),
        task={"kind": "regression", "targets": ["Length_of_stay"], "mode": "full"},
    )
    run = execute(prepare_run(config.parse({**settings, "trainer": {**settings["trainer"], "epochs": 6}})))
    stays = read_stays(tmp_path)
    with package_of(run) as package:
        rows = StayRows(package.manifest.coding, grid(package.manifest.coding, stays))
        from core.data.stays.outcomes import outcome_files, read_outcomes

        value, _ = load_target(run.folder).of(read_outcomes(outcome_files(tmp_path)), stays.ids)
        found = measure_by_hour(package.manifest, package.load(), rows, value)
    assert [of["hours"] for of in found] == [6, 12, 24] and found[-1]["doubt"]["held"] > 0.8
    assert found[0]["doubt"]["held"] <= found[-1]["doubt"]["held"] + 0.1 and found[0]["doubt"]["width"] > 0
