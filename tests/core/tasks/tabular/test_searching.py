"""Settings are searched for within a run's own training rows; in a cross-validation that makes it a nested one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from core import config
from core.control import JobControl
from core.data.tables.read import read_table
from core.errors import Cancelled, ConfigError
from core.tasks.tabular.preparing import TablePlan, prepare
from core.tasks.tabular.searching import search
from tests.core.tables import tree, write_recipe, write_table

QUICK = {"trainer": {"epochs": 2, "batch_size": 32, "device": "cpu", "threads": 1}}


def prepared(tmp_path, **more):
    experiment = config.parse({**tree(write_table(tmp_path / "stays.csv")), **QUICK, **more})
    plan = TablePlan.model_validate(yaml.safe_load(prepare(experiment, JobControl()).files["plan.yaml"]))
    return experiment, plan, read_table(tmp_path / "stays.csv")


def test_the_same_seed_tries_the_same_settings_and_takes_the_best_of_them(tmp_path):
    ready = prepared(tmp_path, search={"trials": 4, "folds": 2})
    first, again = (search(*ready, np.arange(100), JobControl()) for _ in range(2))
    assert first == again and len(first["trials"]) == 4 and first["trials"][0]["settings"] == {}
    best = min(first["trials"], key=lambda trial: trial["loss"])
    assert first["chosen"] == best["settings"]
    assert {key.split(".")[0] for key in first["trials"][1]["settings"]} == {"model", "optimizer"}


def test_rows_that_were_not_given_take_no_part_in_the_search(tmp_path):
    experiment, plan, table = prepared(tmp_path, search={"trials": 2, "folds": 2})
    before = search(experiment, plan, table, np.arange(90), JobControl())
    table["age"].values[90:] = 1e6
    assert search(experiment, plan, table, np.arange(90), JobControl()) == before


def test_a_search_ends_when_asked_and_refuses_outcomes_too_rare_for_its_folds(tmp_path):
    ready = prepared(tmp_path, search={"trials": 3, "folds": 2})
    control = JobControl()
    with pytest.raises(Cancelled):
        search(*ready, np.arange(100), control, control.cancel)
    rare = np.flatnonzero(ready[2]["died"].values == 0)[:50]
    with pytest.raises(ConfigError, match="too rare"):
        search(*ready, np.append(rare, np.flatnonzero(ready[2]["died"].values == 1)[0]), JobControl())


def test_each_fold_is_trained_with_what_its_own_search_chose_and_the_ensemble_keeps_it(tmp_path, isocenter):
    recipe = write_recipe(tmp_path, {**tree(write_table(tmp_path / "stays.csv")), **QUICK})
    overrides = ("search.trials=3", "search.folds=2", "optimizer.lr=0.0001")
    code, group, _ = isocenter("train", recipe, "--folds", "2", *overrides, "--json")
    assert code == 0 and group["state"] == "finished"
    chosen = []
    for fold in group["folds"]:
        _, run, _ = isocenter("runs", "show", fold["run"], "--json")
        chosen.append(json.loads((Path(run["folder"]) / "search.json").read_text())["chosen"])
    _, found, _ = isocenter("runs", "folds", group["group"], "--json")
    assert [remark.startswith(f"Fold {n}. Of 3 settings") for n, remark in enumerate(found["remarks"])] == [True, True]
    _, made, _ = isocenter("models", "publish", group["group"], "--name", "both", "--json")
    hidden = [(member["network"] or made["network"])["hidden"] for member in made["members"]]
    assert hidden == [one.get("model.hidden", [16]) for one in chosen]
    code, answer, _ = isocenter("predict", tmp_path / "stays.csv", "--model", "both", "--out", tmp_path, "--json")
    assert code == 0 and len(answer["predictions"]) == 120
