from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from core.config import to_yaml
from core.paths import runs_folder
from tests.core.making import make_dataset, tiny_experiment


def test_a_folder_alone_is_planned_and_no_run_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_dataset(tmp_path / "data")
    assert main(["plan", str(data), "trainer.batch_size=3", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    choices = {choice["key"]: choice for choice in plan["choices"]}
    assert choices["data.spacing_mm"]["value"] == [1.0, 1.0, 1.0] and choices["data.spacing_mm"]["planned"]
    assert choices["trainer.batch_size"] | {"title": ""} == {
        "key": "trainer.batch_size", "title": "", "value": 3, "reason": "Set by you.", "planned": False,
    }  # fmt: skip
    assert not runs_folder().exists()


def test_each_value_is_printed_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = tiny_experiment(make_dataset(tmp_path / "data"))
    file = tmp_path / "tiny.yaml"
    file.write_text(to_yaml(experiment))
    assert main(["plan", str(file)]) == 0
    said = capsys.readouterr().out
    [patch] = [line for line in said.splitlines() if line.startswith("Patch (voxels)")]
    assert "16 x 16 x 16" in patch and "Set by you." in patch
    assert "Every case has this spacing" in said


def test_one_case_only_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(make_dataset(tmp_path / "one", cases=1))]) == 2
    assert "At least two readable cases" in capsys.readouterr().err
