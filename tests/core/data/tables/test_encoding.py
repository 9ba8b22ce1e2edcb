"""Columns become numbers that depend on the training rows alone, whatever stands in the cells later."""

from __future__ import annotations

import numpy as np
import pytest

from core.data.tables.encode import fit_coding
from core.data.tables.table import Column, Table, column_of
from core.errors import DatasetError


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, 200).astype(np.float32)
    age[::10] = np.nan
    return Table({
        "age": Column("age", "number", age),
        "sex": column_of("sex", [("f", "m")[i % 2] for i in range(198)] + ["x", None], "category"),
        "note": column_of("note", ["some words"] * 200, "text"),
        "same": Column("same", "number", np.ones(200, np.float32)),
    })  # fmt: skip


def test_columns_are_centred_on_the_training_rows_and_say_where_they_were_empty(table):
    coding = fit_coding(table)
    numbers, codes = coding.encode(table)
    assert coding.inputs == ["age", "sex"] and numbers.shape == (200, coding.width) == (200, 2)
    assert np.median(numbers[numbers[:, 1] == 0, 0]) == pytest.approx(0, abs=0.02)
    assert (numbers[::10, 0] == 0).all() and numbers[:, 1].tolist() == [float(i % 10 == 0) for i in range(200)]
    assert codes[-2:, 0].tolist() == [0, 0] and set(codes[:-2, 0].tolist()) == {1, 2}  # rare and empty are one


def test_some_rows_are_coded_as_they_are_among_all(table):
    rows = np.array([3, 50, 199])
    coding = fit_coding(table, np.arange(100))
    assert coding == fit_coding(table.take(np.arange(100)))
    for part, whole in zip(coding.encode(table, rows), coding.encode(table), strict=True):
        assert np.array_equal(part, whole[rows])


def test_extreme_and_unknown_cells_at_prediction_stay_finite(table):
    coding = fit_coding(table)
    odd = Table({
        "age": Column("age", "number", np.array([np.inf, -np.inf, 1e30, np.nan], np.float32)),
        "sex": column_of("sex", ["f", "other", None, "m"], "category"), "new": Column("new", "number", np.ones(4)),
    })  # fmt: skip
    numbers, codes = coding.encode(odd)
    assert np.isfinite(numbers).all() and np.abs(numbers[:, 0]).max() <= 3 and codes[:, 0].tolist() == [1, 0, 0, 2]
    with pytest.raises(DatasetError, match="sex"):
        coding.encode(odd.without(["sex"]))


def test_a_table_of_nothing_but_identifiers_and_constants_is_refused(table):
    with pytest.raises(DatasetError, match="no column is left"):
        fit_coding(Table({"same": table["same"], "id": Column("id", "number", np.arange(200, dtype=np.float32))}))
