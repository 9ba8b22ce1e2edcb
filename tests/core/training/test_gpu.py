"""Every task on a GPU, where there is one: it trains there, answers as a CPU does, and outlives a full memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import config
from core.catalog import Catalog, RunRow
from core.cli import main
from core.simulation.alzheimers import Recipe, simulate
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment
from tests.core.stays import make_stays, tree
from tests.core.tasks.alzheimers.conftest import TINY

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def trained(experiment: Any) -> RunRow:
    run = execute(prepare_run(experiment))
    assert run.state == "finished", run
    assert json.loads((run.folder / "precision.json").read_text())["device"] == "cuda"
    return run


def told(run: RunRow) -> str:
    with Catalog() as catalog:
        return "\n".join(event.message for event in catalog.events(run.id))


def test_segmentation_answers_on_the_gpu_as_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_dataset(tmp_path / "data")
    run = trained(tiny_experiment(folder, epochs=8, device="auto", precision="auto"))
    assert "by a probe" in told(run)
    assert main(["models", "publish", run.id, "--name", "balls"]) == 0
    maps = {}
    for device in ("cuda", "cpu"):
        out = tmp_path / device
        scan = str(folder / "images" / "ball_00.nii.gz")
        capsys.readouterr()
        assert main(["predict", scan, "--model", "balls", "--out", str(out), "--device", device, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["predictions"]
        import nibabel as nib

        [mask] = out.rglob("*.nii.gz")
        maps[device] = np.asarray(nib.load(mask).dataobj)  # type: ignore[attr-defined]
    assert maps["cpu"].any()
    assert np.mean(maps["cpu"] != maps["cuda"]) < 1e-3


def test_a_full_gpu_makes_the_batch_smaller(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "data": {
            "path": str(make_dataset(tmp_path / "data", size=48)),
            "val_fraction": 0.3,
            "patch_size": [48, 48, 48],
        },
        "model": {"name": "unet", "channels": [32, 64, 64]},
        "trainer": {"epochs": 2, "batch_size": 8, "patches_per_case": 4, "device": "cuda", "precision": "32"},
    }
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.8e9 / torch.cuda.get_device_properties(0).total_memory)
    try:
        run = trained(config.parse(settings))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "gradients of" in told(run)


def test_risk_from_images_trains_in_mixed_precision(tmp_path: Path) -> None:
    simulate(tmp_path / "cohort", Recipe(subjects=32, seed=3))
    on_gpu = [word for word in TINY if not word.startswith(("trainer.device", "trainer.precision"))]
    trained(config.load("alzheimers", [f"data.path={tmp_path / 'cohort'}", "name=tiny", *on_gpu]))


@pytest.mark.parametrize("objective", ["mae", "contrastive", "jepa"])
def test_stays_are_pretrained(tmp_path: Path, objective: str) -> None:
    settings = tree("pretraining", make_stays(tmp_path / "stays"), ssl={"name": objective})
    settings["trainer"]["device"] = "auto"
    trained(config.parse(settings))


def test_stays_are_classified(tmp_path: Path) -> None:
    settings = tree("finetuning", make_stays(tmp_path / "stays"))
    settings["trainer"]["device"] = "auto"
    trained(config.parse(settings))


def test_a_table_is_learned(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["a,b,ill"] + [f"{x:.3f},{y:.3f},{int(x + y > 0)}" for x, y in rng.normal(size=(200, 2))]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows))
    settings: dict[str, Any] = {
        "task": {"name": "tabular"},
        "data": {"path": str(table), "target": "ill"},
        "trainer": {"epochs": 3, "device": "auto"},
    }
    trained(config.parse(settings))
