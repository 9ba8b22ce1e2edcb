from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.data.cache import cache_folder
from core.data.dataset import discover
from core.data.plan import Label, Plan
from core.imaging.reader import read
from core.imaging.writer import write_volume
from tests.core.making import make_dataset


@pytest.mark.parametrize("changed", ["images/ball_00.raw", "images/ball_01.nrrd", "labels/ball_01.nii.gz"])
def test_prepared_cases_are_made_anew_when_any_of_their_files_changes(tmp_path: Path, changed: str) -> None:
    data = make_dataset(tmp_path)
    (data / "images" / "ball_00.raw").write_bytes(b"voxels")
    for file in (data / "images").glob("ball_01.nii.gz"):
        write_volume(file.with_name("ball_01.nrrd"), read(file))
        file.unlink()
    run: Any = SimpleNamespace(data_path=str(data))
    plan = Plan(spacing_mm=(1, 1, 1), patch_size=(8, 8, 8), labels=[Label(value=1, name="Ball")])
    before = cache_folder(run.data_path, discover(data)[1], plan)
    assert cache_folder(run.data_path, discover(data)[1], plan) == before
    with (data / changed).open("ab") as file:
        file.write(b"more")
    assert cache_folder(run.data_path, discover(data)[1], plan) != before
