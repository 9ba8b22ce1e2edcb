"""What is wrong or suspect in a table's columns is found, each in one finding."""

from __future__ import annotations

import numpy as np
import pytest

from core.data.tables.check import check_classes, check_columns, check_leaks, facts_of
from core.data.tables.table import Column, Table, column_of


def codes_of(column, rows=None):
    return {finding.code for finding in check_columns(Table({column.name: column}), rows)}


def numbers(values):
    return Column("x", "number", np.asarray(values, np.float32))


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (numbers([np.nan] * 60), "all-missing"), (numbers([3.0] * 60), "constant"),
        (numbers([np.inf, *range(30), *range(30)]), "infinite"), (numbers(range(60)), "identifier"),
        (column_of("x", [*map(str, range(100)), "n/m"], "number"), "mixed"),
        (column_of("x", ["1.5", "2", "7", "high"] * 20, "category"), "mixed"),
        (column_of("x", [f"w{i // 2}" for i in range(4000)], "category"), "many-levels"),
        (column_of("x", ["long text " + str(i) for i in range(60)], "text"), "free-text"),
        (column_of("x", [f"p{i}" for i in range(60)], "category"), "identifier"),
    ],
)  # fmt: skip
def test_a_suspect_column_is_found(column, code):
    assert code in codes_of(column)


def test_a_plain_column_and_one_of_numbered_words_have_no_findings():
    assert codes_of(numbers([*range(30)] * 2)) == set()
    assert codes_of(column_of("x", ["1", "2", "3"] * 20, "category")) == set()


def test_only_the_rows_that_are_asked_for_are_looked_at():
    column = numbers([*[5.0] * 60, *range(60)])
    assert "constant" in codes_of(column, np.arange(60)) and "constant" not in codes_of(column)


def test_the_outcomes_are_counted():
    found = {f.code: f.severity for f in check_classes(np.array([0] * 100 + [1]), ["no", "yes"])}
    assert found == {"few-of-class": "error", "imbalance": "info"}
    assert [f.code for f in check_classes(np.zeros(50, int), ["no", "yes"])] == ["one-class"]


def test_a_column_that_tells_the_outcome_alone_is_suspected_also_by_being_empty():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    table = Table({
        "after": Column("after", "number", np.where(truth == 1, rng.normal(size=300), np.nan).astype(np.float32)),
        "copy": column_of("copy", ["dead" if t else "alive" for t in truth], "category"),
        "honest": Column("honest", "number", (truth + rng.normal(size=300)).astype(np.float32)),
    })  # fmt: skip
    told = [finding.message for finding in check_leaks(table, np.arange(300), truth)]
    assert len(told) == 2 and "being empty or not" in told[0] and told[1].startswith("copy")


def test_the_facts_of_a_column_are_those_of_its_filled_cells():
    facts = facts_of(numbers([1, 2, 2, 9, np.nan]))
    assert facts.missing == pytest.approx(0.2) and facts.different == 3 and facts.range == (1, 2, 9)
    assert facts_of(column_of("x", ["b", "a", "b", None], "category")).top == (("b", 2), ("a", 1))
