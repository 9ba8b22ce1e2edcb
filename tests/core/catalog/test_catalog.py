from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.catalog import Catalog
from core.catalog.database import catalog_path
from core.errors import CatalogError


def add_run(catalog: Catalog, id: str = "run-1", name: str = "a run") -> None:
    catalog.add_run(
        id=id, name=name, task="segmentation", config="name: x", data_path="/data", folder=Path("/runs") / id, epochs=3
    )


def test_metrics_are_read_on_from_the_last_seen() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        catalog.add_metrics("run-1", [("train/loss", 1, 0, 0.5, 1.0), ("val/dice", 1, 0, math.nan, 1.0)])
        first = catalog.metrics("run-1")
        catalog.add_metrics("run-1", [("train/loss", 2, 0, 0.25, 2.0)])
        assert [p.value for p in catalog.metrics("run-1", after=first[-1].id)] == [0.25]
        assert math.isnan(first[1].value)


def test_points_that_will_be_written_again_go_and_a_reader_misses_none_of_the_new() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        catalog.add_metrics("run-1", [("train/loss", step, 0, float(step), 1.0) for step in range(6)])
        last_seen = catalog.metrics("run-1")[-1].id
        for after_step, left in ((3, [0.0, 1.0, 2.0, 3.0]), (-1, [])):
            catalog.forget_metrics("run-1", after_step=after_step)
            assert [p.value for p in catalog.metrics("run-1")] == left
            catalog.add_metrics("run-1", [("train/loss", 9, 0, 9.0, 1.0)])
            new = catalog.metrics("run-1", after=last_seen)
            assert [p.value for p in new] == [9.0]
            last_seen = new[-1].id


def test_forgetting_points_leaves_those_of_other_runs() -> None:
    with Catalog() as catalog:
        for id in ("run-1", "run-2"):
            add_run(catalog, id)
            catalog.add_metrics(id, [("train/loss", 5, 0, 1.0, 1.0)])
        catalog.forget_metrics("run-1", after_step=2)
        assert not catalog.metrics("run-1") and len(catalog.metrics("run-2")) == 1


def test_run_is_found_by_id_or_newest_of_a_name() -> None:
    with Catalog() as catalog:
        add_run(catalog, "run-1")
        add_run(catalog, "run-2")
        assert catalog.run("run-1").id == "run-1" and catalog.run("a run").id == "run-2"
        with pytest.raises(CatalogError, match="no run 'other'"):
            catalog.run("other")


def test_a_new_checkpoint_takes_the_place_of_its_kind() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        for epoch in (1, 2):
            catalog.set_checkpoint("run-1", "best", path=Path("b"), sha256="0", size=1, epoch=epoch, step=epoch)
        assert [row.epoch for row in catalog.checkpoints("run-1")] == [2]


def test_run_of_a_dead_process_becomes_interrupted() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        catalog.update_run("run-1", state="running", pid=int(child.stdout))
        assert catalog.mark_interrupted() == ["run-1"]
        assert catalog.run("run-1").state == "interrupted"


def test_run_of_a_living_process_is_left_alone() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        catalog.update_run("run-1", state="running")
        assert catalog.mark_interrupted() == []


def test_a_run_that_a_later_process_goes_on_with_is_left_alone() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        yesterday = time.time() - 86400
        catalog.update_run("run-1", state="running", created=yesterday, started=yesterday, heartbeat=time.time())
        assert catalog.mark_interrupted() == []
        assert catalog.run("run-1").state == "running"


def test_a_process_that_came_after_the_last_sign_of_a_run_is_not_its_own() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        yesterday = time.time() - 86400
        catalog.update_run("run-1", state="running", created=yesterday, started=yesterday, heartbeat=yesterday)
        assert catalog.mark_interrupted() == ["run-1"]
        assert catalog.run("run-1").ended == yesterday
        assert len(catalog.events("run-1")) == 1


def test_a_run_that_is_resumed_while_it_is_looked_at_is_not_marked() -> None:
    with Catalog() as catalog:
        add_run(catalog)
        catalog.update_run("run-1", state="running", pid=None)
        seen = catalog.run("run-1")
        catalog.update_run("run-1", pid=os.getpid())
        assert not catalog._mark_interrupted(seen)
        assert catalog.events("run-1") == []


@pytest.mark.parametrize("content", [b"no database at all, just text" * 50, b"SQLite format 3\x00" + b"\xff" * 2000])
def test_damaged_catalog_is_told_and_left_as_it_is(content: bytes) -> None:
    catalog_path().write_bytes(content)
    with pytest.raises(CatalogError):
        Catalog()
    assert catalog_path().read_bytes() == content


def test_catalog_of_a_newer_program_is_refused_untouched() -> None:
    Catalog().close()
    raw = sqlite3.connect(catalog_path())
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    before = catalog_path().read_bytes()
    with pytest.raises(CatalogError, match="newer Isocenter"):
        Catalog()
    assert catalog_path().read_bytes() == before


def test_home_that_is_a_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "home"))
    with pytest.raises(CatalogError, match="set ISOCENTER_HOME"):
        Catalog()


def test_catalog_is_readable_by_its_owner_only() -> None:
    Catalog().close()
    assert catalog_path().stat().st_mode & 0o077 == 0


def test_four_processes_create_and_write_one_catalog() -> None:
    script = (
        "import sys; from pathlib import Path; from core.catalog import Catalog\n"
        "with Catalog() as c:\n"
        "    c.add_run(id=sys.argv[1], name='n', task='t', config='', data_path='', folder=Path('x'), epochs=1)\n"
        "    for i in range(20): c.add_metrics(sys.argv[1], [('k', i, 0, 1.0, 1.0)])\n"
    )
    root = Path(__file__).resolve().parents[3]
    children = [subprocess.Popen([sys.executable, "-c", script, f"r{n}"], cwd=root) for n in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    with Catalog() as catalog:
        assert [len(catalog.metrics(f"r{n}")) for n in range(4)] == [20] * 4


def test_a_catalog_of_the_first_version_is_brought_up_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    old = sqlite3.connect(path)
    old.executescript((Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8"))
    old.close()
    with Catalog(path) as catalog:
        (row,) = catalog.predictions()
        assert (row.scan, row.model, row.series) == (Path("/scans/a.nii"), "hippocampus", "")
        assert (row.task, row.answer, row.given) == ("segmentation", "", {})
        add_prediction(catalog, series="1.2.3")
        assert catalog.predictions()[0].series == "1.2.3"
    with Catalog(path) as catalog:
        assert len(catalog.predictions()) == 2


def add_prediction(catalog: Catalog, **more: str) -> int:
    return catalog.add_prediction(
        scan=Path("/scans/b"), model="m", model_version="1", output=Path("/out"), sha256="0", structures=[],
        findings=[], seconds=1.0, device="cpu", **more,
    )  # fmt: skip


def test_a_removed_model_leaves_no_row_and_can_be_put_back() -> None:
    with Catalog() as catalog:
        catalog.add_model(name="m", version="1", folder=Path("/models/m-1"), run="", sha256="0")
        before = catalog.models()
        row = catalog.remove_model("m", "1")
        assert catalog.models() == [] and row is not None
        assert catalog.remove_model("m", "1") is None
        catalog.restore_model(row)
        assert catalog.models() == before
