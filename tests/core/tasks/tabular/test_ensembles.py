"""A cross-validation on a table becomes one model that answers by the mean of its folds' networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import yaml

from core.catalog import Catalog
from core.catalog.groups import runs_of
from core.data.tables.encode import fit_coding
from core.data.tables.read import read_table
from core.errors import ModelError
from core.inference.archive import export_package, import_package
from core.inference.kinds import find_model, read_model
from core.metrics.calibration import fit_temperature, tempered
from core.tasks.tabular.members import Recoded
from core.tasks.tabular.predicting import outputs
from core.tasks.tabular.preparing import load_split
from core.tasks.tabular.publishing import changed, package_of
from tests.core.tables import tree, write_recipe, write_table


def cross_validated(tmp_path, isocenter, *overrides):
    rng = np.random.default_rng(4)
    ward = rng.choice(["A", "B", "C", "D"], 160, p=[0.5, 0.3, 0.15, 0.05])
    recipe = write_recipe(tmp_path, tree(write_table(tmp_path / "stays.csv", 160, ward=ward)))
    _, found, _ = isocenter("train", recipe, "--folds", "2", "trainer.epochs=3", *overrides, "--json")
    return found["group"]


def test_rows_of_one_coding_become_those_of_another(tmp_path):
    table = read_table(write_table(tmp_path / "a.csv", 200, far=np.random.default_rng(0).lognormal(3, 2, 200)))
    half = np.arange(0, 200, 2)
    of, to = fit_coding(table), fit_coding(table, half)
    assert of.numbers[0].median != to.numbers[0].median
    numbers, codes = of.encode(table)
    found, words = Recoded(of, to)(torch.from_numpy(numbers), torch.from_numpy(codes))
    wanted, wanted_words = to.encode(table)
    assert np.abs(found.numpy() - wanted).max() < 1e-4 and np.array_equal(words.numpy(), wanted_words)


def test_an_ensemble_answers_by_the_mean_of_its_networks_calibrated_out_of_fold(tmp_path, isocenter):
    group = cross_validated(tmp_path, isocenter, "task.decide_by=f1")
    code, made, _ = isocenter("models", "publish", group, "--name", "both", "--json")
    assert code == 0 and len(made["members"]) == 2 and made["training"]["measured_on"] == "folds"
    package, table = find_model("both"), read_table(tmp_path / "stays.csv")
    new = read_table(write_table(tmp_path / "new.csv", 60, seed=9, ward=["A", "Z"] * 30))
    said, kept, truth = [], [], []
    with Catalog() as catalog:
        runs = runs_of(catalog, group)
    for run in runs.values():
        with package_of(run) as one:
            bare = changed(one, temperature=1.0)
            said.append(outputs(bare, new))
            rows = load_split(run.folder)["test"]
            kept.append(outputs(bare, table.take(rows)))
            truth.append(one.manifest.plan.outcome.codes(table["died"].take(rows)))
    temperature = fit_temperature(np.concatenate(kept), np.concatenate(truth))
    assert package.manifest.temperature == pytest.approx(temperature, abs=1e-4)
    assert np.allclose(outputs(package, new), tempered(np.mean(said, axis=0), temperature), atol=1e-5)
    assert made["threshold"] != 0.5 and "out of fold" in package.card and "did not see" in package.card
    answers = outputs(package, new)
    archive = export_package(package, tmp_path)
    package.folder.rename(tmp_path / "gone")
    again = import_package(archive)
    assert np.array_equal(outputs(again, new), answers)
    kept = yaml.safe_load((again.folder / "model.yaml").read_text())
    kept["members"][1]["coding"]["numbers"][0]["name"] = "strange"
    (again.folder / "model.yaml").write_text(yaml.safe_dump(kept))
    with pytest.raises(ModelError, match="strange"):
        read_model(again.folder)


def test_an_ensemble_is_measured_on_rows_that_no_fold_touched_and_explains_its_answers(tmp_path, isocenter):
    group = cross_validated(tmp_path, isocenter, "data.test_fraction=0.2")
    _, made, _ = isocenter("models", "publish", group, "--name", "both", "--json")
    assert made["training"]["measured_on"] == "test" and made["training"]["cases"]["test"] == 32
    code, found, _ = isocenter("evaluate", "both", tmp_path / "stays.csv", "--split", "test", "--json")
    assert code == 0 and found["metrics"]["test/auroc"] == pytest.approx(made["training"]["figures"]["auroc"])
    code, answer, _ = isocenter(
        "predict", tmp_path / "stays.csv", "--model", "both", "--out", tmp_path, "--explain", "--json"
    )
    first = answer["predictions"][0]
    adds = [one["contribution"] for one in first["explanation"]["contributions"]]
    assert code == 0 and len(adds) == 3
    assert first["explanation"]["base"] + sum(adds) == pytest.approx(first["probabilities"]["1"], abs=1e-3)


def test_one_finished_fold_is_no_ensemble(tmp_path, isocenter):
    group = cross_validated(tmp_path, isocenter, "--only", "1")
    code, _, err = isocenter("models", "publish", group)
    assert code == 2 and "an ensemble needs two" in err
    with pytest.raises(ModelError):
        find_model("tiny-table")
