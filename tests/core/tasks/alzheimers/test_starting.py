"""A risk network's encoders begin with those that were pretrained on scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from core import config
from core.catalog import Catalog
from core.control import JobControl
from core.errors import DatasetError, ModelError
from core.simulation.alzheimers import Recipe, simulate
from core.tasks.alzheimers.session import session
from core.tasks.alzheimers.starting import words
from core.training.checkpoints import load_weights
from core.training.launch import execute, prepare_run
from tests.core.tasks.volume_pretraining.making import make_scans, pretraining

ENCODER = {"width": 6, "depths": [1, 1], "heads": [1, 2], "window": 3}
TINY = [
    "data.shape=[16, 20, 16]", "data.spacing_mm=[10, 10, 10]", "model.width=6", "model.depths=[1, 1]",
    "model.heads=[1, 2]", "model.window=3", "model.readout=4", "model.clinical=16", "model.fusion=16",
    "model.cross_heads=2", "trainer.epochs=1", "trainer.device=cpu", "trainer.precision=32",
]  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohorts") / "simulated"
    simulate(folder, Recipe(subjects=24, seed=3))
    return folder


def pretrain(folder: Path, **more: Any) -> Path:
    """The best checkpoint of a pretrained Swin U-Net."""
    tree = config.to_tree(pretraining(folder, trainer={"epochs": 1}, **more))
    run = execute(prepare_run(config.parse(tree | {"model": {"name": "swin_unet", "fine": 4, **ENCODER}})))
    with Catalog() as catalog:
        row = catalog.checkpoint(run.id, "best")
    assert row is not None
    return row.path


def risk(cohort: Path, *overrides: str) -> Any:
    return config.load("alzheimers", [f"data.path={cohort}", *TINY, *overrides])


def test_each_encoder_begins_with_its_own_start(cohort: Path, tmp_path: Path) -> None:
    given = load_weights(pretrain(make_scans(tmp_path / "scans")))
    run_id = prepare_run(risk(cohort, "task.start_mri_from=pre"))
    with Catalog() as catalog:
        run = catalog.run(run_id)
        said = " ".join(event.message for event in catalog.events(run_id))
    assert words(run.folder) == "The MRI encoder began with the weights of the run pre."
    network = session(risk(cohort), run, JobControl()).module.network
    assert "The MRI encoder's" in said and "are those of the run pre" in said
    begun, other = network.mri.state_dict(), network.pet.state_dict()
    taken = [name for name in begun if f"encoder.{name}" in given]
    assert set(begun) - set(taken) <= {"places"}  # of the risk network's own grid
    assert all(torch.equal(begun[name], given[f"encoder.{name}"]) for name in taken)
    assert not torch.equal(other["embed.weight"], begun["embed.weight"])


def test_another_encoder_is_refused_by_the_names_of_what_differs(cohort: Path, tmp_path: Path) -> None:
    pretrain(make_scans(tmp_path / "scans"))
    with pytest.raises(ModelError, match=r"embed\.weight is 6 x 1 .*there and 8 x 1 .*here.*model\.width=6"):
        prepare_run(risk(cohort, "task.start_pet_from=pre", "model.width=8"))
    execute(prepare_run(pretraining(tmp_path / "scans", trainer={"epochs": 1})))
    with pytest.raises(ModelError, match="is a unet, which has no encoder of this network's kind"):
        prepare_run(risk(cohort, "task.start_mri_from=pre"))


def test_images_of_the_test_part_that_were_pretrained_on_are_refused(cohort: Path) -> None:
    data = {"spacing_mm": [10, 10, 10], "patch_size": [16, 20, 16]}
    pretrain(cohort, data=data)
    with pytest.raises(DatasetError, match="test cases were in the training of the run pre"):
        prepare_run(risk(cohort, "task.start_mri_from=pre"))
    run_id = prepare_run(risk(cohort, "task.start_mri_from=pre", "task.allow_overlap=true"))
    with Catalog() as catalog:
        assert any("may flatter" in event.message for event in catalog.events(run_id))
