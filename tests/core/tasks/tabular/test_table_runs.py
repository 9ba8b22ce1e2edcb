"""A table is trained on, measured, published and predicted from the command line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from core import config
from core.control import JobControl
from core.data.tables.read import read_table
from core.data.tables.table import column_of
from core.errors import ConfigError, DatasetError
from core.tasks.tabular.preparing import checked, load_split, prepare, subjects
from core.tasks.tabular.splitting import draw
from tests.core.tables import tree, write_recipe, write_table


def check(path, **data):
    return checked(config.parse(tree(path, **data)), JobControl())


def test_a_table_is_trained_measured_published_and_predicted(tmp_path, isocenter):
    table = write_table(tmp_path / "stays.csv")
    recipe = write_recipe(tmp_path, tree(table))
    code, trained, _ = isocenter("train", recipe, "--json")
    assert code == 0 and trained["state"] == "finished"
    unseen = write_table(tmp_path / "unseen.csv", seed=1)
    code, measured, _ = isocenter("evaluate", trained["run"], unseen, "--json")
    assert code == 0 and measured["metrics"]["test/auroc"] > 0.85 and len(measured["cases"]) == 120
    _, own, _ = isocenter("evaluate", trained["run"], table, "--split", "val", "--json")
    assert own["metrics"]["test/auroc"] == pytest.approx(trained["metrics"]["val/auroc"], abs=1e-5)
    assert own["trained_on"] == 0
    code, published, _ = isocenter("models", "publish", trained["run"], "--name", "deaths", "--json")
    assert code == 0 and published["task"] == "tabular"
    _, listed, _ = isocenter("models", "list", "--json")
    assert "deaths" in [model["name"] for model in listed["models"]]
    _, answer, _ = isocenter("predict", unseen, "--model", "deaths", "--out", tmp_path / "out", "--json")
    rows = answer["predictions"]
    # A package answers as the run did, to the bit.
    assert [row["probabilities"] for row in rows] == [case["probabilities"] for case in measured["cases"]]
    assert (tmp_path / "out" / "unseen_predictions.csv").read_text().count("\n") == 121


def test_a_missing_column_is_named_and_a_new_one_is_told(tmp_path, isocenter):
    table = write_table(tmp_path / "stays.csv")
    recipe = write_recipe(tmp_path, tree(table))
    _, trained, _ = isocenter("train", recipe, "trainer.epochs=1", "--json")
    isocenter("models", "publish", trained["run"], "--name", "deaths")
    (tmp_path / "short.csv").write_text("sex,hospital\nf,A\nx,B\n")
    code, _, err = isocenter("predict", tmp_path / "short.csv", "--model", "deaths", "--out", tmp_path)
    assert code == 2 and "age" in err
    (tmp_path / "new.csv").write_text("age,sex,hospital\n61,f,A\n,x,B\n")
    code, answer, _ = isocenter("predict", tmp_path / "new.csv", "--model", "deaths", "--out", tmp_path, "--json")
    told = {finding["code"] for finding in answer["predictions"][0]["findings"]}
    assert code == 0 and {"unused-columns", "unknown-words"} <= told


def test_a_run_whose_table_was_changed_is_not_gone_on_with(tmp_path):
    from core.training.launch import execute, prepare_run

    table = write_table(tmp_path / "stays.csv")
    run = prepare_run(config.parse(tree(table)))
    write_table(table, seed=5)
    with pytest.raises(DatasetError, match="was changed"):
        execute(run)


def test_the_training_of_one_seed_is_the_same_twice(tmp_path, isocenter):
    recipe = write_recipe(tmp_path, tree(write_table(tmp_path / "stays.csv")))
    metrics = [isocenter("train", recipe, "--json")[1]["metrics"] for _ in range(2)]
    assert metrics[0] == metrics[1]


def test_what_is_wrong_with_a_table_is_found(tmp_path):
    rows = 120
    leak = write_table(tmp_path / "a.csv", rows, empty=[""] * rows, same=["1"] * rows)
    codes = {finding.code for finding in check(leak).findings}
    assert {"all-missing", "constant", "identifier"} <= codes
    copied = np.loadtxt(leak, str, delimiter=",", skiprows=1)[:, 3]
    leak = write_table(tmp_path / "b.csv", rows, survival=copied)
    assert any(f.code == "leak" and f.message.startswith("survival") for f in check(leak).findings)
    assert not any(f.code == "leak" for f in check(leak, leave_out=["survival"]).findings)


def test_an_outcome_that_nothing_can_be_learned_of_is_refused(tmp_path):
    table = write_table(tmp_path / "a.csv", 60, one=["yes"] * 60)
    with pytest.raises(DatasetError, match="same in every row"):
        prepare(config.parse(tree(table, target="one")), JobControl())
    with pytest.raises(DatasetError, match="There are: died"):
        check(table, target="deid")
    with pytest.raises(ConfigError, match="no outcome is chosen"):
        prepare(config.parse(tree(table, target="")), JobControl())


def test_without_an_outcome_the_check_still_tells_the_columns(tmp_path):
    found = check(write_table(tmp_path / "a.csv"), target="")
    assert not found.usable and found.columns["age"] == "number" and found.columns["sex"] == "category"


def test_a_table_that_is_still_held_is_not_read_again(tmp_path):
    path = write_table(tmp_path / "a.csv")
    held = read_table(path)
    assert read_table(path) is held
    write_table(path, rows=121)
    assert len(read_table(path)) == 121


def test_parts_hold_the_outcomes_evenly_and_no_subject_twice():
    rng = np.random.default_rng(0)
    strata, groups = (rng.random(1000) < 0.1).astype(int), np.repeat(np.arange(250), 4)
    parts = draw(1000, strata, None, 0.2, 0.1, seed=1)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1000))
    assert [len(parts[p]) for p in ("val", "test")] == [200, 100]
    assert strata[parts["val"]].mean() == pytest.approx(strata.mean(), abs=0.01)
    parts = draw(1000, strata, groups, 0.2, 0.1, seed=1)
    sides = [set(groups[rows].tolist()) for rows in parts.values()]
    assert sum(map(len, sides)) == 250 and abs(len(parts["val"]) - 200) <= 12


def test_a_number_is_predicted_in_its_own_unit(tmp_path, isocenter):
    rng = np.random.default_rng(0)
    table = write_table(tmp_path / "a.csv", score=[f"{v:.3f}" for v in rng.normal(500, 2, 120)])
    recipe = write_recipe(tmp_path, tree(table, target="score"))
    _, trained, _ = isocenter("train", recipe, "--json")
    _, measured, _ = isocenter("evaluate", trained["run"], table, "--split", "all", "--json")
    assert 490 < measured["cases"][0]["score"] < 510 and measured["metrics"]["test/mae"] < 5


def test_a_table_with_everything_wrong_is_told_in_one_list_and_trained_on_what_is_right(tmp_path, isocenter):
    rows = 12_000
    rng = np.random.default_rng(0)
    cells = {
        "wound": [f"w{i}" for i in rng.integers(0, 10_000, rows)], "same": ["1"] * rows, "none": [""] * rows,
        "lab": [f"{v:.2f}" if i % 50 else "haemolysed" for i, v in enumerate(rng.normal(size=rows))],
        "big": ["inf" if i % 70 == 0 else str(i % 9) for i in range(rows)],
    }  # fmt: skip
    table = write_table(tmp_path / "a.csv", rows, **cells)
    outcome = np.loadtxt(table, str, delimiter=",", skiprows=1)[:, 3]
    for row, odd in ((3, "inf"), (4, ""), (5, "nan")):
        outcome[row] = odd
    table = write_table(tmp_path / "a.csv", rows, **cells, outcome=outcome)
    found = check(table, target="outcome", leave_out=["died"])
    assert {"many-levels", "constant", "all-missing", "mixed", "infinite", "identifier", "no-outcome"} <= {
        finding.code for finding in found.findings
    }
    assert found.usable and len(found.rows) == rows - 3
    recipe = write_recipe(tmp_path, tree(table, target="outcome", leave_out=["died"]))
    code, trained, _ = isocenter("train", recipe, "trainer.epochs=2", "trainer.batch_size=512", "--json")
    assert code == 0 and trained["metrics"]["val/auroc"] > 0.9
    code, shown, _ = isocenter("runs", "show", trained["run"], "--json")
    assert sum("cells hold no number" in event["message"] for event in shown["events"]) == 1


def test_a_rate_that_was_looked_for_is_kept_with_the_run_and_told(tmp_path, isocenter):
    recipe = write_recipe(tmp_path, tree(write_table(tmp_path / "stays.csv")))
    code, trained, _ = isocenter("train", recipe, "trainer.find_lr=true", "trainer.epochs=2", "--json")
    _, shown, _ = isocenter("runs", "show", trained["run"], "--json")
    curve = json.loads((Path(shown["folder"]) / "lr_finder.json").read_text())
    assert code == 0 and len(curve["rates"]) == len(curve["losses"]) > 20
    assert any(f"The learning rate is {curve['chosen']:.2g}" in event["message"] for event in shown["events"])


def test_a_run_learns_from_its_teachers_and_says_so_in_words_where_it_cannot(tmp_path, isocenter):
    tree_of = tree(write_table(tmp_path / "stays.csv"))
    taught = {"teacher": ["logistic_regression", "xgboost"], "made": 5, "consistency": 0.1, "folds": 3}
    tree_of["task"] |= {"distillation": taught, "mixup": 0.2, "noise": 0.1, "label_smoothing": 0.05,
                        "balance_classes": True}  # fmt: skip
    recipe = write_recipe(tmp_path, tree_of)
    code, trained, _ = isocenter("train", recipe, "--json")
    assert code == 0 and trained["metrics"]["val/auroc"] > 0.85
    code, _, err = isocenter("train", recipe, "task.distillation.teacher=[oracle]")
    assert code == 2 and "teacher" in err


def test_what_is_no_table_or_teaches_nothing_is_refused_in_one_sentence_with_its_reasons(tmp_path, isocenter):
    recipe = write_recipe(tmp_path, {**tree("x"), "task": "tabular"})
    (tmp_path / "bytes.csv").write_bytes(bytes(range(1, 256)) * 20)
    (tmp_path / "short.csv.gz").write_bytes(gzip.compress(write_table(tmp_path / "a.csv").read_bytes())[:300])
    columns = {"died": [0, 1] * 30, "same": [1] * 60, "none": [""] * 60}
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "nothing.csv").write_text("\n".join(rows))
    for name, words in (("bytes.csv", "no text file"), ("short.csv.gz", "ends too early"),
                        ("nothing.csv", "none is empty in every row")):  # fmt: skip
        code, _, err = isocenter("train", recipe, f"data.path={tmp_path / name}")
        assert code == 2 and words in err.splitlines()[-1]
    code, _, err = isocenter("train", recipe, f"data.path={tmp_path / 'a.csv'}", "task.kind=regression")
    assert code == 0 and "warning: record is different in every row" in err


def test_a_column_that_holds_words_where_the_model_takes_numbers_is_told(tmp_path, isocenter):
    recipe = write_recipe(tmp_path, tree(write_table(tmp_path / "stays.csv")))
    _, trained, _ = isocenter("train", recipe, "trainer.epochs=1", "--json")
    (tmp_path / "new.csv").write_text("age,sex,died\nold,f,1\nyoung,m,0\n")
    _, found, _ = isocenter("evaluate", trained["run"], tmp_path / "new.csv", "--json")
    assert any(one["message"].startswith("age: 2 cells hold no number") for one in found["findings"])
    (tmp_path / "new.csv").write_text("sex,died\nf,1\nm,0\n")
    code, _, err = isocenter("evaluate", trained["run"], tmp_path / "new.csv")
    assert code == 2 and "lacks columns that the model needs: age" in err


def test_a_split_is_kept_in_binary_and_read_again_also_as_it_was_kept_before(tmp_path):
    rows = 1_234
    ready = prepare(config.parse(tree(write_table(tmp_path / "long.csv", rows), test_fraction=0.1)), JobControl())
    kept = ready.long_files["split.safetensors"]
    assert len(kept) < 8 * rows + 500
    (tmp_path / "split.safetensors").write_bytes(kept)
    found = load_split(tmp_path)
    assert list(found) == ["train", "val", "test"] and len(found["test"]) in (123, 124)
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(rows))

    old = tmp_path / "old"
    old.mkdir()
    (old / "split.json").write_text('{\n"train": [\n3,1\n],\n"val": [\n2\n],\n"test": [\n\n]\n}\n')
    assert {part: one.tolist() for part, one in load_split(old).items()} == {"train": [3, 1], "val": [2], "test": []}


def test_a_table_that_the_window_holds_is_whole_after_a_run_on_it(tmp_path, isocenter):
    path = write_table(tmp_path / "stays.csv")
    held = read_table(path)
    recipe = write_recipe(tmp_path, tree(path))
    assert isocenter("train", recipe, "trainer.epochs=1", "--json")[0] == 0
    assert held.names == ["record", "age", "sex", "died"] and read_table(path) is held


def test_a_table_is_summed_up_in_plain_words(tmp_path):
    found = check(write_table(tmp_path / "stays.csv"))
    died = int(found.target.sum())
    assert found.summary() == f"120 rows, 4 columns; died: {120 - died} with 0, {died} with 1"
    assert found.described() == [
        ("Rows", "120"), ("Columns", "3 numbers, 1 category"), ("died", f"{120 - died} with 0, {died} with 1")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (save({"train": np.arange(3), "val": np.arange(2)}), "no parts"),
        (save({part: np.zeros(2) for part in ("train", "val", "test")}), "no parts"),
    ],
)
def test_a_damaged_split_is_told_in_a_line(tmp_path, content, said):
    (tmp_path / "split.safetensors").write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        load_split(tmp_path)


def test_what_is_wrong_with_the_columns_is_told_beside_an_outcome_that_cannot_be_learned(tmp_path):
    rows = 120
    path = write_table(
        tmp_path / "a.csv", rows, empty=[""] * rows, day=[f"2020-01-{1 + i % 28:02d}" for i in range(rows)]
    )
    found = check(path, target="day")
    assert not found.usable and {"outcome", "all-missing", "identifier"} <= {one.code for one in found.findings}


def test_empty_and_infinite_columns_are_told_at_prediction(tmp_path, isocenter):
    recipe = write_recipe(tmp_path, tree(write_table(tmp_path / "stays.csv")))
    _, trained, _ = isocenter("train", recipe, "trainer.epochs=1", "--json")
    (tmp_path / "new.csv").write_text("age,sex,died\ninf,,1\n61,,0\n")
    _, found, _ = isocenter("evaluate", trained["run"], tmp_path / "new.csv", "--json")
    told = [one["message"] for one in found["findings"]]
    assert told == [
        "sex: empty in every row, so the model answers without",
        "age holds infinite values; they count as missing",
    ]
    (tmp_path / "new.csv").write_text("sex,died\nf,1\nm,0\n")
    _, _, err = isocenter("evaluate", trained["run"], tmp_path / "new.csv")
    assert "new.csv: the table lacks columns" in err


@pytest.mark.parametrize("kind", ["number", "category", "text"])
def test_cells_as_codes_say_what_the_cells_do(kind):
    column = column_of("x", ["2", None, "10", "2", "0.5"], kind)
    codes, names = column.words()
    assert [None if code < 0 else names[code] for code in codes] == column.strings()
    assert subjects(column)[0] == subjects(column)[3] and len(set(subjects(column).tolist())) == 4
