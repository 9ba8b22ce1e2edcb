"""Several processes train on stays as one does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from core import config
from core.catalog import Catalog, RunRow
from core.training.launch import execute, prepare_run
from tests.core.stays import make_stays, tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torchrun's store is not in torch's Windows builds")


def curves(run: RunRow) -> dict[tuple[str, int], float]:
    timing = ("train/samples_per_s", "train/waiting_share")
    with Catalog() as catalog:
        return {(p.key, p.step): p.value for p in catalog.metrics(run.id) if p.key not in timing}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "blocks"),
    [
        # Its loss has all that is shared: means over hidden cells, a penalty on the whole batch, a target that follows.
        ("pretraining", {"ssl": {"name": "jepa"}, "task": {"probe_every": 2}}),
        ("finetuning", {"task": {"mode": "gradual", "unfreeze_epoch": 2, "balance": "weights"}}),
    ],
)  # fmt: skip
def test_two_processes_train_as_one_does(tmp_path: Path, task: str, blocks: dict[str, Any]) -> None:
    """Without dropout, whose draws are each process's own."""
    settings = tree(task, make_stays(tmp_path), **blocks)
    settings["encoder"]["dropout"] = 0.0
    if task == "finetuning":
        settings["task"]["head"] = {"name": "linear", "dropout": 0.0}
    found = []
    for devices in (1, 2):
        settings["trainer"]["devices"] = devices
        found.append(curves(execute(prepare_run(config.parse(settings)))))
    assert len(found[0]) >= 12 and found[1] == pytest.approx(found[0], abs=1e-4)
