"""Deleting a run keeps it in the trash for a while, and an export holds all of it."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import pytest

from core.catalog import Catalog, records
from core.errors import CatalogError
from core.paths import runs_folder


@pytest.fixture
def catalog() -> Catalog:
    made = Catalog()
    folder = runs_folder() / "a"
    folder.mkdir(parents=True)
    (folder / "plan.yaml").write_text("x")
    made.add_run(
        id="a", name="=first", task="segmentation", config="name: first\n", data_path="/d", folder=folder, epochs=2
    )
    made.update_run("a", state="finished", summary={"val/dice": 0.5})
    made.add_metrics("a", [("val/dice", 1, 0, 0.5, 10.0), ("val/loss", 1, 0, math.nan, 10.0)])
    made.add_event("a", "info", "Finished.")
    made.set_checkpoint("a", "best", path=folder / "best.ckpt", sha256="0", size=1, epoch=0, step=1)
    return made


def test_a_run_comes_back_from_the_trash_as_it_was(catalog: Catalog) -> None:
    with catalog:
        before = (catalog.run("a"), catalog.events("a")[0].time, catalog.checkpoint("a", "best").path)
        records.to_trash(catalog, "a")
        assert catalog.runs() == []
        assert not (runs_folder() / "a").exists()
        records.from_trash(catalog, "a")
        assert (catalog.run("a"), catalog.events("a")[0].time, catalog.checkpoint("a", "best").path) == before
        assert (runs_folder() / "a" / "plan.yaml").read_text() == "x"
        values = [point.value for point in catalog.metrics("a")]
        assert values[0] == 0.5
        assert math.isnan(values[1])
    assert not (records.trash_folder() / "a").exists()


def test_a_run_that_is_going_on_is_not_deleted(catalog: Catalog) -> None:
    with catalog:
        catalog.update_run("a", state="running")
        with pytest.raises(CatalogError, match="Stop it first"):
            records.to_trash(catalog, "a")
        assert (runs_folder() / "a").is_dir()


def test_a_folder_outside_the_runs_is_never_moved(catalog: Catalog, tmp_path: Path) -> None:
    with catalog:
        catalog.update_run("a", folder=str(tmp_path))
        records.to_trash(catalog, "a")
    assert tmp_path.is_dir()


def test_trash_older_than_a_month_is_removed(catalog: Catalog) -> None:
    old = records.trash_folder() / "old"
    old.mkdir(parents=True)
    (old / "record.json").write_text("{}")
    long_ago = time.time() - 40 * 86_400
    os.utime(old / "record.json", (long_ago, long_ago))
    with catalog:
        records.to_trash(catalog, "a")
    assert not old.exists()


def test_what_is_not_in_the_trash_cannot_be_put_back(catalog: Catalog) -> None:
    with catalog, pytest.raises(CatalogError, match="not in the trash"):
        records.from_trash(catalog, "b")


def test_exports_hold_all_points_and_are_strict_json(catalog: Catalog) -> None:
    with catalog:
        content = json.loads(records.as_json(catalog, ["a"]), parse_constant=pytest.fail)
        table = records.as_csv(catalog, ["a"]).splitlines()
    run = content["runs"][0]
    assert [point["value"] for point in run["metrics"]] == [0.5, None]
    assert run["run"]["config"] == {"name": "first"}
    assert run["checkpoints"][0]["kind"] == "best"
    assert table[0] == "run,name,key,step,epoch,value,time"
    assert table[1].startswith("a,'=first,val/dice,1,0,0.5,")
    assert len(table) == 3
