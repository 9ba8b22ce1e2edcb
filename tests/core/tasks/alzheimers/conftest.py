"""A small simulated cohort, and a tiny network trained on it once for all tests that only use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import config
from core.catalog import Catalog, RunRow
from core.simulation.alzheimers import Recipe, simulate
from core.tasks.alzheimers.kind import RiskModels
from core.tasks.alzheimers.package import RiskPackage
from core.training.launch import execute, prepare_run

TINY = [
    "data.shape=[16, 20, 16]", "data.spacing_mm=[10, 10, 10]", "model.width=6", "model.depths=[1, 1]",
    "model.heads=[1, 2]", "model.window=3", "model.readout=4", "model.clinical=16", "model.fusion=16",
    "model.cross_heads=2", "trainer.epochs=4", "trainer.batch_size=8", "trainer.accumulate=1", "trainer.device=cpu",
    "trainer.threads=1", "trainer.precision=32", "optimizer.lr=3e-3", "task.samples=8",
]  # fmt: skip


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohorts") / "simulated"
    simulate(folder, Recipe(subjects=48, seed=3))
    return folder


@dataclass(frozen=True)
class Trained:
    home: Path
    run: RunRow
    package: RiskPackage


@pytest.fixture(scope="session")
def trained_once(cohort_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("risk-home")
        patch.setenv("ISOCENTER_HOME", str(home))
        experiment = config.load("alzheimers", [f"data.path={cohort_folder}", "name=tiny", *TINY])
        run_id = prepare_run(experiment)
        execute(run_id)
        with Catalog() as catalog:
            run = catalog.run(run_id)
        yield Trained(home, run, RiskModels().publish(run))


@pytest.fixture
def trained(trained_once: Trained, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The run and its package, in their own home."""
    monkeypatch.setenv("ISOCENTER_HOME", str(trained_once.home))
    return trained_once
