"""Contributions add up to the answer, go to the columns that it is made of, and tell nobody's row."""

from __future__ import annotations

import numpy as np
import pytest

from core.data.tables.encode import fit_coding
from core.data.tables.table import Column, Table, column_of
from core.tasks.tabular.explaining import MOST_COLUMNS, background_of, contributions, importance, told


@pytest.fixture
def coded():
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, 500).astype(np.float32)
    age[::5] = np.nan
    table = Table({
        "age": Column("age", "number", age), "size": Column("size", "number", rng.normal(size=500).astype(np.float32)),
        "sex": column_of("sex", rng.choice(["f", "m", "x"], 500).tolist(), "category"),
    })  # fmt: skip
    coding = fit_coding(table)
    return table, coding, *coding.encode(table)


def linear(numbers, codes):
    """Of a number and of whether it was empty, and of a word; the size counts for nothing."""
    return 2.0 * numbers[:, 0] + 1.0 * numbers[:, 2] + 0.5 * (codes[:, 0] == 1)


def test_contributions_and_base_add_up_to_the_answer_whatever_the_network(coded):
    _, coding, numbers, codes = coded
    background = background_of(coding, numbers, codes).draw(coding, 40)
    mixed = lambda n, c: np.tanh(n[:, 0] * n[:, 1]) + n[:, 2] * c[:, 0]  # noqa: E731
    for row in (0, 1, 2):
        for answer in (linear, mixed):
            base, shares = contributions(answer, numbers[[row]], codes[[row]], coding, background)
            assert base + shares.sum() == pytest.approx(float(answer(numbers[[row]], codes[[row]])[0]), abs=1e-5)


def test_a_linear_answer_is_told_exactly_and_an_unused_column_gets_nothing(coded):
    table, coding, numbers, codes = coded
    background = background_of(coding, numbers, codes).draw(coding, 20)
    base, shares = contributions(linear, numbers[[1]], codes[[1]], coding, background)  # 10 orders, both ways: 20
    own = np.array([2.0 * numbers[1, 0] + numbers[1, 2], 0.0, 0.5 * (codes[1, 0] == 1)])
    mean = [np.mean(2.0 * background[0][:, 0] + background[0][:, 2]), 0.0, 0.5 * np.mean(background[1][:, 0] == 1)]
    np.testing.assert_allclose(shares, own - mean, atol=1e-4)
    again = contributions(linear, numbers[[1]], codes[[1]], coding, background)
    assert again[0] == base and np.array_equal(again[1], shares)
    said = told(coding, table, 1, base, shares)["contributions"]
    assert {one["column"]: one["value"] for one in said}["sex"] == table["sex"].strings()[1]
    assert abs(said[0]["contribution"]) == np.abs(shares).max()


def test_the_background_is_like_the_rows_column_by_column_and_holds_no_extreme_value(coded):
    _, coding, numbers, codes = coded
    drawn_numbers, drawn_codes = background_of(coding, numbers, codes).draw(coding, 4000)
    assert drawn_numbers[:, 2].mean() == pytest.approx(0.2, abs=0.03)
    assert drawn_numbers[drawn_numbers[:, 2] == 0, 0].std() == pytest.approx(
        numbers[numbers[:, 2] == 0, 0].std(), rel=0.2
    )
    assert np.bincount(drawn_codes[:, 0])[1:] / 4000 == pytest.approx(np.bincount(codes[:, 0])[1:] / 500, abs=0.03)
    assert drawn_numbers[:, 1].max() < numbers[:, 1].max() and drawn_numbers[:, 1].min() > numbers[:, 1].min()


def test_a_table_of_very_many_columns_keeps_no_background():
    columns = {str(i): Column(str(i), "number", np.array([0.5, 1.5], np.float32)) for i in range(MOST_COLUMNS + 1)}
    coding = fit_coding(Table(columns))
    assert background_of(coding, *coding.encode(Table(columns))) is None


def test_the_column_that_the_answer_hangs_on_is_the_most_important(coded):
    _, coding, numbers, codes = coded
    target = linear(numbers, codes)
    ranked = importance(lambda n, c, t: float(((linear(n, c) - t) ** 2).mean()), numbers, codes, target, coding)
    assert [one["column"] for one in ranked] == ["age", "sex", "size"]
    assert ranked[-1]["importance"] == 0 and ranked[0]["importance"] > 10 * ranked[1]["importance"] > 0
