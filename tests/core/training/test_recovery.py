"""Runs whose rows are gone are taken in again from their folders."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

import core.training.checkpoints  # noqa: F401 - the seconds of this import are none of a test's
from core.catalog import Catalog
from core.catalog.database import catalog_path
from core.cli import main
from core.config import to_yaml
from core.errors import CatalogError
from core.paths import runs_folder
from core.training.recovery import lost_runs, recover
from tests.core.making import tiny_experiment

RUN = "20260102-030405-tiny-0abc"


def make_run(folder: Path, *, epochs: int = 3) -> Path:
    """A run's folder with two checkpoints, as training leaves it."""
    (folder / "checkpoints").mkdir(parents=True)
    experiment = tiny_experiment(folder)
    experiment = experiment.model_copy(update={"trainer": experiment.trainer.model_copy(update={"epochs": epochs})})
    (folder / "experiment.yaml").write_text(to_yaml(experiment), encoding="utf-8")
    for kind, epoch in (("best", 1), ("last", 2)):
        content = {
            "epoch": epoch, "global_step": 10 * epoch, "state_dict": {},
            "metrics": {"val/dice": 0.9 - epoch / 10, "val/loss": 0.5},
        }  # fmt: skip
        torch.save(content, folder / "checkpoints" / f"{kind}.ckpt")
    return folder


def test_a_lost_catalog_is_filled_from_the_run_folders(capsys: pytest.CaptureFixture[str]) -> None:
    make_run(runs_folder() / RUN)
    make_run(runs_folder() / "20260102-030406-tiny-fold-1-0abc", epochs=9)
    assert main(["runs", "recover", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["taken"] == [RUN, "20260102-030406-tiny-fold-1-0abc"]
    with Catalog() as catalog:
        run, fold = catalog.run(RUN), catalog.run("20260102-030406-tiny-fold-1-0abc")
        assert (run.state, run.epoch, run.epochs) == ("finished", 3, 3)
        assert (fold.state, fold.epoch, fold.name.endswith(" fold 1")) == ("interrupted", 3, True)
        assert run.summary == {"epoch": 2, "val/dice": 0.8, "val/loss": 0.5}
        assert [(row.kind, row.epoch, row.step, row.value) for row in catalog.checkpoints(RUN)] == [
            ("best", 1, 10, 0.8), ("last", 2, 20, pytest.approx(0.7)),
        ]  # fmt: skip
        assert [point.step for point in catalog.metrics(RUN, key="val/dice")] == [10, 20]
        assert "curves and its log are gone" in catalog.events(RUN)[0].message
        assert lost_runs(catalog) == []


def test_a_damaged_catalog_is_set_aside_whole_and_rows_that_are_there_stay() -> None:
    make_run(runs_folder() / RUN)
    recover()
    with Catalog() as catalog:
        catalog.update_run(RUN, name="mine")
    assert recover().taken == []
    with Catalog() as catalog:
        assert catalog.run(RUN).name == "mine"
    damaged = catalog_path().read_bytes()[:4096] + b"\xff" * 20000
    catalog_path().write_bytes(damaged)
    with pytest.raises(CatalogError, match="runs recover"), Catalog() as catalog:
        catalog.runs()
    found = recover()
    assert found.taken == [RUN]
    assert found.aside is not None
    assert found.aside.read_bytes() == damaged


def test_a_damaged_checkpoint_is_left_out_and_told_and_the_other_kept() -> None:
    path = make_run(runs_folder() / RUN) / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:300])
    recover()
    with Catalog() as catalog:
        assert [row.kind for row in catalog.checkpoints(RUN)] == ["best"]
        assert (catalog.run(RUN).state, catalog.run(RUN).epoch) == ("interrupted", 2)
        assert str(path) in catalog.events(RUN)[0].message


def test_a_run_with_damaged_settings_keeps_no_other_from_being_taken_in(capsys: pytest.CaptureFixture[str]) -> None:
    make_run(runs_folder() / RUN)
    (make_run(runs_folder() / "bad") / "experiment.yaml").write_text("task: [", encoding="utf-8")
    assert main(["runs", "recover"]) == 2
    out, err = capsys.readouterr()
    assert out.split() == [RUN]
    assert "left out: bad" in err


def test_a_folder_from_elsewhere_is_copied_and_never_over_another(tmp_path: Path) -> None:
    make_run(tmp_path / "disk" / RUN)
    os.symlink("/etc/hostname", tmp_path / "disk" / RUN / "link")
    assert recover([tmp_path / "disk"]).taken == [RUN]
    assert (tmp_path / "disk" / RUN).is_dir()
    with Catalog() as catalog:
        assert catalog.run(RUN).folder == runs_folder() / RUN
        assert all(row.path.is_file() for row in catalog.checkpoints(RUN))
    assert not (runs_folder() / RUN / "link").exists()
    assert [folder.name for folder, _ in recover([tmp_path / "disk" / RUN]).left] == [RUN]
    assert main(["runs", "recover", str(tmp_path)]) == 2  # holds none itself


def test_a_run_that_is_just_being_prepared_is_let_be() -> None:
    folder = make_run(runs_folder() / RUN)
    shutil.rmtree(folder / "checkpoints")
    assert recover().taken == []
    os.utime(folder, (1, 1))
    assert recover().taken == [RUN]
