"""Answers for tables, stays and subjects, in words and as rows of the catalog."""

from __future__ import annotations

import doctest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from core.catalog import Catalog
from core.files import sha256
from core.inference import answers


def package(task: str) -> Any:
    return SimpleNamespace(name="m", version="1.0", as_dict=lambda: {"task": task})


def test_doctests() -> None:
    assert doctest.testmod(answers).failed == 0


def test_several_labels_are_told_each_with_its_probability() -> None:
    assert answers.in_words({"outcome": "a, b", "probabilities": {"a": 0.125, "b": 0.5}}) == "a 12%, b 50%"


def test_a_table_is_one_row_and_each_subject_has_its_own(tmp_path: Path) -> None:
    output = tmp_path / "x_predictions.csv"
    output.write_text("row\n")
    finding = {"code": "c", "severity": "info", "message": "Told once."}
    rows = [{"row": n, "scan": "x.csv", "output": str(output), "outcome": "days", "score": n, "findings": [finding],
             "seconds": 0.5} for n in range(3)]  # fmt: skip
    given = {"kinds": {"a": "text"}}
    answers.record(package("tabular"), {"predictions": rows, "outputs": [str(output)]}, given=given)
    subjects = [{"subject": id, "scan": id, "output": str(output), "score": 0.5} for id in ("s1", "s2")]
    answers.record(
        package("alzheimers"), {"predictions": subjects, "outputs": [str(output)]}, source=tmp_path / "c.csv"
    )
    with Catalog() as catalog:
        *subjects_, table = catalog.predictions()
    assert table.answer == "3 rows: days 0 to 2, median 1"
    assert (table.task, table.given, table.seconds, len(table.findings)) == ("tabular", given, 1.5, 1)
    assert table.sha256 == sha256(output)
    assert [row.given["subject"] for row in subjects_] == ["s2", "s1"]
    assert {row.scan for row in subjects_} == {tmp_path / "c.csv"}


def test_the_file_with_all_of_the_answers_is_the_one_that_is_kept(tmp_path: Path) -> None:
    outputs = [tmp_path / "a_stays.csv", tmp_path / "a_stays.json"]
    for path in outputs:
        path.write_text("{}")
    one = {"stay": "1", "scan": "a", "output": str(outputs[0]), "outcome": "died", "predicted": "1",
           "probabilities": {"0": 0.2, "1": 0.8}}  # fmt: skip
    answers.record(package("finetuning"), {"predictions": [one], "outputs": [str(path) for path in outputs]})
    with Catalog() as catalog:
        assert catalog.predictions()[0].output == outputs[1]
        assert catalog.predictions()[0].answer == "died = 1: 80%"
