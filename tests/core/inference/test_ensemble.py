"""A package of several networks: their mean, what it costs, and packages of one network unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from core.catalog import Catalog
from core.cli import main
from core.control import JobControl
from core.errors import ConfigError, ModelError
from core.inference import calibrating, cost, likeness
from core.inference.archive import export_package, import_package
from core.inference.assemble import write_manifest
from core.inference.ensemble import publish_ensemble
from core.inference.manifest import MANIFEST, Manifest, parse_as
from core.inference.package import ModelPackage
from core.inference.predictor import segment
from core.inference.runtime import load
from core.inference.runtime.convert import prepare_all
from core.training.cross_validation import prepare
from tests.core.making import make_dataset, tiny_experiment

Make = Callable[..., ModelPackage]


@pytest.fixture
def three(make_package: Make, tmp_path: Path) -> ModelPackage:
    """The bright network and two of other thresholds."""
    import torch
    from safetensors.torch import save

    package = make_package(folder=tmp_path / "three", mirror_axes=["x", "y"])
    members = []
    for place, bias in ((2, -10.0), (3, -30.0)):
        weights = {"weight": torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1, 1), "bias": torch.tensor([0.0, bias])}
        content = save(weights)
        (package.folder / f"weights-{place}.safetensors").write_bytes(content)
        members.append({"sha256": hashlib.sha256(content).hexdigest()})
    tree = {**package.manifest.model_dump(mode="json", exclude_none=True), "format": 2, "members": members}
    (package.folder / MANIFEST).write_text(yaml.safe_dump(tree))
    return ModelPackage.read(package.folder)


def test_probabilities_are_the_mean_of_the_networks(three: ModelPackage) -> None:
    window = np.linspace(0, 3, 16**3, dtype=np.float32).reshape(1, 16, 16, 16)
    alone = [load(one, "cpu")(window) for one in three.networks]
    assert np.abs(alone[0] - alone[1]).max() > 0.5
    assert load(three, "cpu")(window) == pytest.approx(np.mean(alone, axis=0), abs=1e-6)
    assert load(three.first(1), "cpu")(window) == pytest.approx(alone[0])
    assert prepare_all(three)
    assert load(three, "cpu")(window) == pytest.approx(np.mean(alone, axis=0), abs=1e-3)


def test_a_package_of_one_network_is_written_as_before(make_package: Make) -> None:
    package = make_package()
    assert package.manifest.format == 1 and package.networks == (package,)
    write_manifest(package.folder, package.manifest)
    assert "members" not in (package.folder / MANIFEST).read_text()


@pytest.mark.parametrize("change", [{"format": 1}, {"members": None}, {"members": []}])
def test_members_and_format_belong_together(three: ModelPackage, change: dict[str, object]) -> None:
    tree = {**three.manifest.model_dump(mode="json", exclude_none=True), **change}
    with pytest.raises(ModelError, match="not valid"):
        parse_as(Manifest, yaml.safe_dump(tree).encode(), three.folder)


def test_the_cost_is_said(three: ModelPackage, make_package: Make) -> None:
    assert "3 networks, 3 × the time of one" in three.summary
    assert cost.sentence(three, True) == "3 networks and 4 mirrorings: 12 × the time of one pass."
    assert cost.sentence(make_package()) == ""
    assert cost.findings(three, None) == []
    told = [one.message for one in cost.findings(three.first(1), False)]
    assert told == ["Predicted with 1 of the model's 3 networks.", "Predicted without mirroring."]
    with pytest.raises(ConfigError, match="has 3 networks, not 4"):
        three.first(4)


def test_an_ensemble_travels_whole(three: ModelPackage, tmp_path: Path) -> None:
    imported = import_package(export_package(three, tmp_path))
    assert imported.manifest == three.manifest
    for network in imported.networks:
        assert network.read_weights()


def test_a_missing_changed_or_additional_network_is_refused(three: ModelPackage, tmp_path: Path) -> None:
    extra = three.folder / "weights-4.safetensors"
    extra.write_bytes((three.folder / "weights-3.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"weights-4.safetensors is not listed"):
        import_package(three.folder)
    extra.unlink()
    third = three.folder / "weights-3.safetensors"
    content = third.read_bytes()
    third.write_bytes(content[:-1] + b"x")
    with pytest.raises(ModelError, match="sha256"):
        import_package(three.folder)
    with pytest.raises(ModelError, match="damaged"):
        load(three, "cpu")
    third.unlink()
    with pytest.raises(ModelError, match=r"weights-3.safetensors is missing"):
        import_package(three.folder)


@pytest.mark.parametrize("held_out", [0.0, 0.4])
def test_folds_are_published_as_one_model(
    tmp_path: Path, held_out: float, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import config

    tree = config.to_tree(tiny_experiment(make_dataset(tmp_path / "data"), epochs=1))
    tree["data"]["test_fraction"] = held_out
    monkeypatch.setattr(likeness, "FEWEST", 4)
    monkeypatch.setattr("core.inference.learn_likeness.FEWEST", 4)
    monkeypatch.setattr("core.inference.calibrating.FEWEST_CASES", 2)
    validation = prepare(config.parse(tree), 2)
    validation.train([0])
    with pytest.raises(ModelError, match="1 of 2 folds are finished"):
        publish_ensemble("tiny")
    validation.train()
    assert main(["models", "publish", "tiny", "--name", "both", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    package = ModelPackage.read(Path(told["folder"]))
    training = package.manifest.training
    assert len(package.networks) == 2 and training.run == validation.group.id
    assert training.measured_on == ("test" if held_out else "folds") and set(training.dice) == {"Label 1", "Label 2"}
    assert training.cases["train"] == (4 if held_out else 6)
    assert "2 times the time" in package.card and ("own accuracy was not measured" in package.card) == (not held_out)
    assert package.manifest.likeness is not None and package.manifest.likeness.scans == training.cases["train"]
    calibration = package.manifest.calibration
    assert calibration is not None and calibration.halves and "Calibrated by" in package.card
    assert calibration.fitted_on == calibration.measured_on == ("test" if held_out else "folds")
    assert calibration.fitted_cases == (2 if held_out else 6)
    assert ("the one network that had not seen it" in package.card) == (not held_out)
    # One that was published without is calibrated in the same way later.
    write_manifest(package.folder, package.manifest.model_copy(update={"calibration": None}))
    assert main(["models", "calibrate", "both", str(tmp_path / "data"), "--json"]) == 0
    capsys.readouterr()
    assert ModelPackage.read(package.folder).manifest.calibration == calibration
    asked: list[tuple[str, int]] = []

    def watch(case: Any, package: ModelPackage, judged: ModelPackage, *more: Any) -> Any:
        assert len(package.networks) == 2
        asked.append((case.id, judged.place))
        return sure_of(case, package, judged, *more)

    if not held_out:  # each case against the network of its own fold
        sure_of = calibrating._sure
        monkeypatch.setattr(calibrating, "_sure", watch)
        folds = validation.group.folds
        calibrating.with_calibration_of_folds(package, folds, tmp_path / "data", JobControl())
        assert sorted(asked) == sorted((id, fold) for fold, ids in enumerate(folds) for id in ids)
    with Catalog() as catalog:
        assert [row["run"] for row in catalog.models()] == [validation.group.id]
    scan = tmp_path / "data" / "images" / "ball_00.nii.gz"
    out = str(tmp_path / "out")
    assert main(["predict", str(scan), "--model", "both", "--out", out, "--members", "1", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["predictions"][0]["findings"]
    assert "fewer_networks" in [one["code"] for one in findings]
    assert main(["predict", str(scan), "--model", "both", "--out", out, "--members", "3"]) == 2
    assert main(["predict", str(scan), "--model", "both", "--out", out, "--mirror"]) == 0
    assert "2 networks and 2 mirrorings: 4 × the time" in capsys.readouterr().err


def test_segmenting_with_fewer_networks_is_told(three: ModelPackage, tmp_path: Path) -> None:
    from core.imaging.reader import read
    from tests.core.inference.making import bright_box
    from tests.core.making import write_nifti

    volume = read(write_nifti(tmp_path / "scan.nii.gz", bright_box()[0]))
    whole, first = segment(volume, three), segment(volume, three.first(1))
    assert not any(one.code == "fewer_networks" for one in whole.findings)
    assert any(one.code == "fewer_networks" for one in first.findings)
    assert replace(three.first(1), left_out=0).networks[0].manifest.sha256 == three.manifest.sha256
