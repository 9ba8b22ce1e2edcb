"""A disk that fills up while a run is going on. Needs a file system of its own, so only where one can be mounted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.catalog import Catalog
from core.errors import IsocenterError
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_fails_the_run_with_a_plain_message_and_nothing_half_written(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_HOME", str(small_disk / "home"))
    from core import config

    tree = config.to_tree(tiny_experiment(make_dataset(tmp_path / "data")))
    tree["model"]["channels"] = [16, 32, 64]  # a checkpoint larger than the disk
    run_id = prepare_run(config.parse(tree))
    with pytest.raises(IsocenterError, match="disk is full"):
        execute(run_id)
    with Catalog() as catalog:
        run = catalog.run(run_id)
        assert run.state == "failed" and run.error is not None and "disk is full" in run.error
        assert catalog.checkpoints(run_id) == []
    assert not list(run.folder.rglob("*.ckpt")) and not list(run.folder.rglob(".part-*"))
