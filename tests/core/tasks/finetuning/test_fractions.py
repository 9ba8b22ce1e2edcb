"""What fewer labels would give, as one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from core import cli, config
from core.data.stays.coding import fit_coding
from core.data.stays.grid import grid
from core.data.stays.read import read_stays
from core.errors import ConfigError
from core.tasks.finetuning.fractions import fractions, of_share
from core.tasks.finetuning.handmade import features
from core.training.launch import execute, prepare_run
from tests.core.stays import make_stays, tree, write_stay


def test_shares_of_labels_are_compared_on_the_same_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_stays(tmp_path / "stays", 80)
    make_stays(folder, 30, first=5000, part="set-b")
    parts: dict[str, Any] = {"parts": ["set-a"]}
    start = execute(prepare_run(config.parse(tree("pretraining", folder, data=parts, trainer={"epochs": 1}))))
    recipe, out, plot = tmp_path / "recipe.yaml", tmp_path / "points.json", tmp_path / "curve.svg"
    settings = tree("finetuning", folder, data={**parts, "test_parts": ["set-b"]}, trainer={"early_stopping": 2})
    recipe.write_text(yaml.safe_dump(settings))
    command = ["fractions", str(recipe), f"encoder.checkpoint={start.id}", "--shares", "25,100", "--out", str(out)]
    command += ["--plot", str(plot)]
    assert cli.main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(p["method"], p["share"]) for p in found["points"]] == [
        (method, share) for share in (0.25, 1.0) for method in ("pretrained", "scratch", "boosting")
    ]
    assert [p["labels"] for p in found["points"]] == [15] * 3 + [60] * 3
    assert all(0 <= p["test/auroc"] <= 1 for p in found["points"]) and json.loads(out.read_text()) == found
    picture = ElementTree.fromstring(plot.read_text())
    lines = picture.findall("{*}polyline")
    assert len(lines) == 6 and all(len(line.attrib["points"].split()) == 2 for line in lines)
    means = {(m["method"], m["share"]): m for m in found["means"]}
    gain = next(g for g in found["gains"] if g["share"] == 1)
    expected = means["pretrained", 1.0]["test/auprc"] - means["scratch", 1.0]["test/auprc"]
    assert gain["test/auprc"] == pytest.approx(expected)


def test_fewer_labels_keep_the_weight_of_a_penalty_and_get_more_epochs(tmp_path: Path) -> None:
    folder = make_stays(tmp_path, 30)
    start = execute(prepare_run(config.parse(tree("pretraining", folder, trainer={"epochs": 1}))))
    settings = tree("finetuning", folder, encoder={"checkpoint": start.id})
    settings["optimizer"] = {"name": "sgd", "weight_decay": 0.05}
    experiment = config.parse(settings)
    tenth = of_share(experiment, 0.1, "pretrained", 3)
    assert tenth.optimizer.weight_decay == 0.5 and tenth.trainer.epochs == 8 and tenth.data.label_fraction == 0.1
    scratch = of_share(experiment, 0.1, "scratch", 3)
    assert scratch.task.members == tenth.task.members == 1
    assert scratch.encoder.checkpoint is None and scratch.encoder.d_model == 16 and scratch.task.mode == "full"


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    folder = make_stays(tmp_path, 30)
    for settings, words in (
        (tree("pretraining", folder), "fine-tuning"), (tree("finetuning", folder), "no pretrained encoder"),
        (tree("finetuning", folder, encoder={"checkpoint": "x"}), "there is no test"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            fractions(config.parse(settings))
    assert cli.main(["fractions", "x", "--shares", "0,200"]) == cli.BAD_INPUT


def test_features_made_by_hand_are_what_they_say(tmp_path: Path) -> None:
    write_stay(tmp_path / "1.txt", [("00:00", "x", 1), ("01:00", "x", 3), ("03:00", "x", 8), ("03:00", "y", 1)])
    write_stay(tmp_path / "2.txt", [("00:00", "x", 5)])
    stays = read_stays(tmp_path)
    coding = fit_coding(stays, ["x", "y"], [], step_hours=1, max_hours=4, clip=1000)
    found = features(grid(coding, stays)).reshape(2, 8, 2)[:, :, 0]
    own = coding.variables[0].decode(found[0, [0, 2, 3, 4, 5, 6]])
    assert own == pytest.approx([4, 1, 8, 1, 8, 8]) and found[0, 7] == 3
    assert np.isnan(features(grid(coding, stays)).reshape(2, 8, 2)[1, :7, 1]).all()
