from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from core.catalog import Catalog
from core.control import JobControl
from core.errors import Cancelled, CatalogError, ConfigError, ModelError
from core.files import sha256
from core.imaging.reader import read
from core.inference.assemble import Facts, read_facts
from core.inference.evaluate import evaluate
from core.inference.package import GRAPH, find_package, list_packages
from core.inference.predictor import segment
from core.inference.publish import model_name, publish
from core.inference.runtime import graph, load
from core.paths import models_folder
from core.training.checkpoints import load_weights
from core.training.launch import execute, prepare_run
from tests.core.making import make_dataset, tiny_experiment


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home folder with a short run in it, and the run's id."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_HOME", str(home))
        data = make_dataset(tmp_path_factory.mktemp("data"))
        about = {"name": "Balls", "licence": "CC0", "labels": {"1": "Left ball", "2": "Right ball"}}
        (data / "dataset.json").write_text(json.dumps(about))
        run_id = prepare_run(tiny_experiment(data))
        execute(run_id)
    return home, run_id


@pytest.fixture
def run_id(trained: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    home, run_id = trained
    monkeypatch.setenv("ISOCENTER_HOME", str(home))
    return run_id


def test_a_published_run_is_found_and_predicts(run_id: str):
    package = publish(run_id, name="Balls 1")
    assert (package.name, package.version) == ("balls-1", "1.0")
    assert find_package("balls-1") == package
    with Catalog() as catalog:
        run = catalog.run(run_id)
        assert any(row["name"] == "balls-1" and row["run"] == run_id for row in catalog.models())
    image = sorted((Path(run.data_path) / "images").iterdir())[0]
    assert segment(read(image), package).labels.shape == (16, 16, 16)


def test_the_weights_are_those_of_the_best_checkpoint(run_id: str):
    package = publish(run_id, name="weights")
    with Catalog() as catalog:
        best = catalog.checkpoint(run_id, "best")
    assert best is not None
    trained = load_weights(best.path)
    for name, tensor in load_file(package.folder / "weights.safetensors").items():
        assert torch.equal(tensor, trained[name])


def test_half_size_weights_are_half_the_size(run_id: str):
    sizes = [
        (publish(run_id, name=f"size{half}", half=half).folder / "weights.safetensors").stat().st_size
        for half in (False, True)
    ]
    assert sizes[1] < 0.75 * sizes[0]


def test_the_accuracy_is_that_on_the_cases_kept_from_training(run_id: str):
    package = publish(run_id, name="accuracy")
    with Catalog() as catalog:
        data = Path(catalog.run(run_id).data_path)
    measured = evaluate(run_id, data, split="val")["metrics"]
    for name, dice in package.manifest.training.dice.items():
        assert dice.mean == pytest.approx(measured[f"test/dice/{name}"])
    assert package.manifest.training.measured_on == "val"
    assert package.manifest.training.cases["val"] > 0


def test_the_card_says_what_it_was_trained_on(run_id: str):
    facts = Facts(title="Balls of two kinds", simulated=True, notes="Made by arithmetic.")
    card = publish(run_id, name="card", facts=facts).card
    for text in ("Balls of two kinds", "Balls. Licence: CC0", "simulated", "Made by arithmetic.", "Left ball",
                 "Research use only", "SD over cases", "clinical decision"):  # fmt: skip
        assert text in card


def test_no_folder_of_this_computer_is_in_the_package(run_id: str):
    package = publish(run_id, name="clean")
    with Catalog() as catalog:
        data = catalog.run(run_id).data_path
    for file in package.folder.glob("*.[my]*"):
        assert data not in file.read_text()


def test_a_published_model_has_a_graph_that_is_read_once_it_comes_with_the_program(run_id: str):
    pytest.importorskip("openvino")
    package = publish(run_id, name="graph")
    shipped = package.folder / GRAPH
    assert sha256(shipped) == package.manifest.graph_sha256
    assert graph.find(package) == graph.cache_path(package)
    assert graph.find(replace(package, bundled=True)) == shipped
    assert type(load(package, "cpu")).__name__ == "OpenVinoRuntime"


def test_publishing_again_makes_the_next_version(run_id: str):
    assert [publish(run_id, name="again").version for _ in range(2)] == ["1.0", "1.1"]


def test_without_its_data_the_trainings_own_figures_are_kept(run_id: str, monkeypatch: pytest.MonkeyPatch):
    with Catalog() as catalog:
        run = catalog.run(run_id)
        catalog.update_run(run_id, data_path=str(run.folder / "gone"))
        try:
            package = publish(run_id, name="gone")
        finally:
            catalog.update_run(run_id, data_path=run.data_path)
    dice = package.manifest.training.dice["Left ball"]
    assert dice.sd is None
    assert dice.mean == pytest.approx(run.summary["val/dice/Left ball"])


def test_a_cancelled_publication_leaves_nothing(run_id: str):
    control = JobControl()
    control.listener = lambda _fraction, message: control.cancel() if message.startswith("Evaluating") else None
    with pytest.raises(Cancelled):
        publish(run_id, name="cancelled", control=control)
    assert not [folder for folder in models_folder().iterdir() if "cancelled" in folder.name]
    assert all(package.name != "cancelled" for package in list_packages())


def test_a_damaged_checkpoint_is_refused(run_id: str):
    with Catalog() as catalog:
        best = catalog.checkpoint(run_id, "best")
    assert best is not None
    content = best.path.read_bytes()
    try:
        best.path.write_bytes(content[:-1] + b"x")
        with pytest.raises(ModelError, match="damaged"):
            publish(run_id, name="damaged")
    finally:
        best.path.write_bytes(content)


def test_a_run_without_a_checkpoint_is_refused(run_id: str):
    with Catalog() as catalog:
        catalog.add_run(
            id="empty", name="empty", task="segmentation", config="", data_path="", folder=Path("x"), epochs=1
        )
    with pytest.raises(ModelError, match="no checkpoint"):
        publish("empty")
    with pytest.raises(CatalogError, match="no run"):
        publish("never")


def test_evaluating_a_run_by_its_split_takes_these_cases_only(run_id: str):
    with Catalog() as catalog:
        run = catalog.run(run_id)
    split = json.loads((run.folder / "split.json").read_text())
    answer = evaluate(run_id, Path(run.data_path), split="val")
    assert sorted(row["case"] for row in answer["cases"]) == sorted(split["val"])
    assert answer["model"] == run_id
    assert np.isfinite(answer["metrics"]["test/dice"])


@pytest.mark.parametrize(
    ("text", "name"), [("My run, 2nd try!", "my-run-2nd-try"), ("--", "model"), ("Ü" * 99, "model")]
)
def test_names_of_models_are_plain(text: str, name: str):
    assert model_name(text) == name


def test_facts_are_read_and_checked(tmp_path: Path):
    path = tmp_path / "facts.yaml"
    path.write_text(yaml.safe_dump({"title": "T", "licence": "CC0"}))
    assert read_facts(path).title == "T"
    path.write_text("titel: T")
    with pytest.raises(ConfigError, match="titel"):
        read_facts(path)
    with pytest.raises(ConfigError):
        read_facts(tmp_path / "absent.yaml")


def test_the_facts_of_the_bundled_model_are_sound():
    from core.paths import RESOURCES

    facts = read_facts(RESOURCES / "models" / "hippocampus.facts.yaml")
    assert facts.licence == "CC-BY-SA 4.0"
    assert facts.whole_head is not None
    assert [region.mirror for region in facts.whole_head.regions] == [False, True]
