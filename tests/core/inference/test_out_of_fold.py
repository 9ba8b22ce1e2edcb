"""The figures of a cross-validation: each case by the run that did not see it, kept, and compared in pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.catalog.groups import GroupRow
from core.cli import main
from core.errors import ConfigError
from core.inference import out_of_fold
from core.inference.out_of_fold import OutOfFold, compare, measure, measure_baseline
from core.training.cross_validation import prepare
from tests.core.making import make_dataset, tiny_experiment


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A group of three trained folds, in a home of its own."""
    folder = tmp_path_factory.mktemp("folds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_HOME", str(folder / "home"))
        validation = prepare(tiny_experiment(make_dataset(folder / "data"), epochs=1), 3)
        validation.train()
    return folder / "home", validation.group


@pytest.fixture
def group(trained: Any, monkeypatch: pytest.MonkeyPatch) -> GroupRow:
    monkeypatch.setenv("ISOCENTER_HOME", str(trained[0]))
    row: GroupRow = trained[1]
    return row


def made(dice: list[list[float]], name: str = "made", fingerprint: str = "same") -> OutOfFold:
    """Two folds with these Dice values of two structures."""
    rows = [
        {
            "case": f"c{n}",
            "dice": dict(zip("ab", one, strict=True)),
            "missed": [s for s, d in zip("ab", one, strict=True) if d == 0],
        }
        for n, one in enumerate(dice)
    ]
    half = len(rows) // 2
    row = GroupRow("g", name, 0.0, "/data", "", {}, [["c0"], ["c1"]], [], fingerprint)
    return OutOfFold(name, row, ["a", "b"], {0: rows[:half], 1: rows[half:]}, {})


def test_every_case_is_measured_once_by_the_run_that_did_not_see_it(
    group: GroupRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = measure(group.id)
    assert sorted(row["case"] for row in found.rows) == [f"ball_{n:02d}" for n in range(6)]
    for fold, rows in found.folds.items():
        assert [row["case"] for row in rows] == group.folds[fold]
    assert found.missing == {} and found.structures == ["Label 1", "Label 2"]
    monkeypatch.setattr(out_of_fold, "evaluate_package", None)  # what was measured is not measured again
    again = measure(group.id)
    assert again.folds == found.folds


def test_spread_is_over_folds_and_over_cases() -> None:
    table = made([[0.8, 0.6], [0.9, 0.7], [0.5, 0.0], [0.7, 0.2]]).table("dice")
    assert table["folds"][0] == pytest.approx({"all": 0.75, "a": 0.85, "b": 0.65})
    assert table["over_folds"]["mean"]["all"] == pytest.approx(np.mean([0.75, 0.35]))
    assert table["over_folds"]["sd"]["all"] == pytest.approx(np.std([0.75, 0.35], ddof=1))
    assert table["over_cases"]["sd"]["a"] == pytest.approx(np.std([0.8, 0.9, 0.5, 0.7], ddof=1))
    assert table["missed"] == {"a": 0, "b": 1}


def test_differences_are_paired_by_case() -> None:
    draw = np.random.default_rng(0)
    hard = draw.uniform(0.2, 0.9, (20, 1))  # cases differ far more than the methods do
    worse = np.hstack([hard, hard])
    compared = compare(made(np.add(worse, [0.02, 0.0]).tolist()), made(worse.tolist(), "other"), "dice")
    a, b = compared["differences"]["a"], compared["differences"]["b"]
    assert a["mean"] == pytest.approx(0.02) and a["interval"] == pytest.approx([0.02, 0.02]) and a["p"] < 1e-3
    assert a["higher"] == 20 and b["mean"] == 0 and b["p"] == 1.0
    assert compared["differences"]["all"]["mean"] == pytest.approx(0.01)


def test_other_folds_or_structures_are_not_compared() -> None:
    one = made([[0.8, 0.6], [0.9, 0.7]])
    with pytest.raises(ConfigError, match="not trained on the same folds"):
        compare(one, made([[0.8, 0.6], [0.9, 0.7]], "other", fingerprint="else"), "dice")
    with pytest.raises(ConfigError, match="made finds a, b"):
        compare(one, replace(one, structures=["a"]), "dice")


def test_baseline_knows_where_the_structures_usually_are(group: GroupRow) -> None:
    baseline = measure_baseline("average-shape", measure(group.id))
    assert "majority vote" in baseline.name
    assert baseline.table("dice")["over_cases"]["mean"]["all"] > 0.4  # the balls move; anywhere else it is 0
    assert [row["case"] for row in baseline.rows] == [row["case"] for row in measure(group.id).rows]


def test_the_command_prints_the_table_and_the_comparison(group: GroupRow, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "folds", group.id, "--against", "average-shape"]) == 0
    text = capsys.readouterr().out
    assert "mean of folds ± sd" in text and "Wilcoxon p" in text and "average-shape" in text
    assert main(["runs", "folds", group.id, "--against", group.id, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["against"]["comparison"]["differences"]["all"] == {
        "mean": 0.0, "interval": [0.0, 0.0], "p": 1.0, "higher": 0, "lower": 0,
    }  # fmt: skip
    assert len(answer["cases"]) == 6 and answer["metrics"]["oof/dice"] >= 0
    assert main(["runs", "folds", group.id, "--metric", "nonsense"]) == 2
    assert main(["runs", "folds", "nothing"]) == 2
    assert main(["runs", "folds"]) == 0
    assert "3/3" in capsys.readouterr().out


def test_train_command_refuses_folds_that_make_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_dataset(tmp_path / "data", cases=4)
    assert main(["train", "hippocampus-quick", f"data.path={data}", "--folds", "9"]) == 2
    assert "cannot be dealt into 9 folds" in capsys.readouterr().err
    assert main(["train", "hippocampus-quick", f"data.path={data}", "--only", "1"]) == 2
    assert main(["train", "hippocampus-quick", f"data.path={data}", "--folds", "2", "--only", "a"]) == 2
