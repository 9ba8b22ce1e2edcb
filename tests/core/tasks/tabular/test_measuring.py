"""What is measured of a table is kept in the catalog, and a cross-validation is compared on its own folds."""

from __future__ import annotations

import numpy as np
import pytest

from core.catalog import Catalog
from core.catalog.evaluations import evaluations
from tests.core.tables import write_recipe


def write_table(path, rows=150, seed=0, outcomes=2):
    rng = np.random.default_rng(seed)
    age, dose, sex = rng.normal(60, 10, rows), rng.normal(size=rows), rng.choice(["f", "m"], rows)
    score = age + 4 * (sex == "m") + rng.normal(0, 3, rows)
    grade = np.digitize(score, np.linspace(50, 70, outcomes + 1)[1:-1])
    lines = [f"{a:.1f},{d:.2f},{s},{i // 2},grade {g}" for i, (a, d, s, g) in enumerate(zip(age, dose, sex, grade))]  # noqa: B905
    path.write_text("\n".join(["age,dose,sex,person,grade", *lines]) + "\n")
    return path


def recipe(tmp_path, table, **more):
    tree = {
        "name": "grades", "task": {"name": "tabular", "decide_by": "f1"},
        "data": {"path": str(table), "target": "grade", "group": "person"}, "model": {"name": "mlp", "hidden": [16]},
        "optimizer": {"name": "adamw", "lr": 0.02},
        "trainer": {"epochs": 8, "batch_size": 16, "device": "cpu", "threads": 1}, **more,
    }  # fmt: skip
    return write_recipe(tmp_path, tree)


@pytest.mark.parametrize("outcomes", [2, 3])
def test_a_measured_run_is_kept_with_intervals_curves_cases_and_importance(tmp_path, isocenter, outcomes):
    table = write_table(tmp_path / "a.csv", outcomes=outcomes)
    _, trained, _ = isocenter("train", recipe(tmp_path, table), "--json")
    unseen = write_table(tmp_path / "b.csv", seed=1, outcomes=outcomes)
    code, found, _ = isocenter("evaluate", trained["run"], unseen, "--json")
    assert code == 0 and found["trained_on"] == 0
    for name, (low, high) in found["intervals"].items():
        assert low <= found["metrics"][name] <= high
    assert len(found["cases"]) == 150 and found["importance"][0]["column"] == "age"
    assert list(found["curves"]) == (["grade 1"] if outcomes == 2 else ["grade 0", "grade 1", "grade 2"])
    curve = found["curves"]["grade 1"]["roc"]
    assert curve["positives"] + curve["negatives"] == 150
    matrix = np.array(found["confusion"]["matrix"])
    assert np.trace(matrix) / matrix.sum() == pytest.approx(found["metrics"]["test/accuracy"])
    said = [(case["outcome"], case["predicted"]) for case in found["cases"]]
    assert np.mean([a == b for a, b in said]) == pytest.approx(found["metrics"]["test/accuracy"])
    with Catalog() as catalog:
        kept = evaluations(catalog)[0]
    assert kept.id == found["id"] and kept.run == trained["run"] and kept.result["curves"] == found["curves"]


def test_the_threshold_is_chosen_on_validation_rows_and_published_and_answers_are_explained(
    tmp_path, isocenter, monkeypatch
):
    table = write_table(tmp_path / "a.csv")
    _, trained, _ = isocenter("train", recipe(tmp_path, table), "--json")
    _, published, _ = isocenter("models", "publish", trained["run"], "--name", "grades", "--json")
    threshold = published["threshold"]
    assert 0 < threshold < 1 and threshold != 0.5
    _, answer, _ = isocenter("predict", table, "--model", "grades", "--out", tmp_path, "--explain", "--json")
    rows = answer["predictions"]
    for row in rows[:20]:
        assert row["predicted"] == ("grade 1" if row["probabilities"]["grade 1"] > threshold else "grade 0")
        told = row["explanation"]
        total = told["base"] + sum(one["contribution"] for one in told["contributions"])
        assert told["of"] == "grade 1" and total == pytest.approx(row["probabilities"]["grade 1"], abs=1e-4)
    assert "explanation" in rows[99] and "explanation" not in rows[100]
    assert {"few-explained", "unused-columns"} <= {finding["code"] for finding in rows[0]["findings"]}
    # It goes out and comes in again as it is.
    _, exported, _ = isocenter("models", "export", "grades", tmp_path / "grades.zip", "--json")
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "home2"))
    code, taken, _ = isocenter("models", "import", exported["output"], "--json")
    assert code == 0 and taken["threshold"] == threshold
    _, again, _ = isocenter("predict", table, "--model", "grades", "--out", tmp_path, "--json")
    assert [r["probabilities"] for r in again["predictions"]] == [r["probabilities"] for r in rows]


def test_outcomes_that_the_model_never_saw_are_named_and_left_out(tmp_path, isocenter):
    table = write_table(tmp_path / "a.csv")
    _, trained, _ = isocenter("train", recipe(tmp_path, table), "trainer.epochs=1", "--json")
    other = tmp_path / "b.csv"
    other.write_text(table.read_text().replace("grade 1", "grade 9", 5))
    _, found, _ = isocenter("evaluate", trained["run"], other, "--json")
    told = [finding["message"] for finding in found["findings"] if finding["code"] == "no-outcome"]
    assert len(found["cases"]) == 145 and len(told) == 1 and "5 rows" in told[0] and "grade 9" in told[0]


def test_a_cross_validation_is_measured_beside_simple_methods_on_the_same_folds(tmp_path, isocenter):
    table = write_table(tmp_path / "a.csv")
    made = recipe(tmp_path, table)
    code, group, _ = isocenter("train", made, "--folds", 3, "--json")
    assert code == 0 and group["state"] == "finished"
    against = "logistic_regression,xgboost"
    code, found, _ = isocenter("runs", "folds", group["group"], "--against", against, "--json")
    assert code == 0 and sorted(int(case["case"]) for case in found["cases"]) == list(range(150))
    fold_of = {int(case["case"]): case["fold"] for case in found["cases"]}
    assert all(fold_of[i] == fold_of[i + 1] for i in range(0, 150, 2))  # rows 0 and 1 are of one person
    assert set(found["folds"]) == {"0", "1", "2"} and found["metrics"]["oof/auroc"] > 0.85
    assert [one["name"] for one in found["against"]] == against.split(",")
    for one in found["against"]:
        paired = one["comparison"]["auroc"]
        assert paired["second"] - paired["first"] == pytest.approx(paired["difference"]) and 0 < paired["p"] <= 1
        assert paired["first"] == pytest.approx(one["metrics"]["oof/auroc"])
    # Other settings on the same folds are paired too; other folds are refused.
    _, second, _ = isocenter("train", made, "name=other", "trainer.epochs=1", "--folds", 3, "--json")
    code, pair, _ = isocenter("runs", "folds", group["group"], "--against", second["group"], "--json")
    assert code == 0 and pair["against"][0]["rows"] == 150
    _, third, _ = isocenter("train", made, "seed=5", "trainer.epochs=1", "--folds", 3, "--json")
    code, _, err = isocenter("runs", "folds", group["group"], "--against", third["group"])
    assert code == 2 and "same folds" in err
    code, shown, _ = isocenter("runs", "folds", group["group"], "--against", "random_forest")
    assert code == 0 and "Random forest" in shown and "auroc" in shown
