"""What speaks for a tabular model's answer: contributions of a row's columns, and how much it relies on each column.

The background that a row is compared with is drawn column by column from what the package keeps of the training rows:
a few quantiles and the shares of words, and no row of anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pydantic import Field

from core.control import JobControl
from core.data.tables.encode import TableCoding
from core.data.tables.table import Table
from core.registry import Part

Array = np.ndarray[Any, Any]
Answer = Callable[[Array, Array], Array]  # numbers, codes -> (rows,) of what is explained

LEVELS = tuple(np.linspace(0.05, 0.95, 19))  # the extreme values of a column may tell who someone is
BACKGROUND_ROWS = 40
PERMUTATIONS = 10  # each is walked forwards and backwards
MOST_COLUMNS = 1_000  # of a background, so that a package's manifest stays small
MOST_EVALUATIONS = 300_000  # rows that the network answers for one ranking of the columns
REPEATS = 3


class ColumnShape(Part):
    """How one coded column was spread over the training rows: quantiles of its numbers, or shares of its codes."""

    quantiles: list[float] = Field([], max_length=len(LEVELS))
    shares: list[float] = Field([], max_length=20_001)
    missing: float = Field(0.0, ge=0, le=1)


class Background(Part):
    """The spread of each column that a model takes, numbers first, as the coding names them."""

    columns: list[ColumnShape] = Field(max_length=20_000)

    def draw(self, coding: TableCoding, rows: int, seed: int = 0) -> tuple[Array, Array]:
        """Coded rows, each column by itself: (rows, width) numbers and (rows, words) codes; the same for a seed."""
        rng = np.random.default_rng(seed)
        numbers, codes = np.zeros((rows, coding.width), np.float32), np.zeros((rows, len(coding.words)), np.int64)
        extra = len(coding.numbers)
        for place, shape in enumerate(self.columns):
            if place >= len(coding.numbers):
                shares = np.asarray(shape.shares)
                codes[:, place - len(coding.numbers)] = rng.choice(len(shares), size=rows, p=shares / shares.sum())
                continue
            values = np.interp(rng.random(rows), np.linspace(0, 1, len(shape.quantiles)), shape.quantiles)
            empty = rng.random(rows) < shape.missing
            numbers[:, place] = np.where(empty, 0.0, values)  # an empty cell is coded as the median, which is 0
            if coding.numbers[place].indicator:
                numbers[:, extra] = empty
                extra += 1
        return numbers, codes


def background_of(coding: TableCoding, numbers: Array, codes: Array) -> Background | None:
    """The background of coded training rows; None where there are too many columns."""
    if len(coding.inputs) > MOST_COLUMNS:
        return None
    shapes = []
    places = cell_places(coding)
    for place in range(len(coding.numbers)):
        own = places[place]
        empty = numbers[:, own[1]] > 0.5 if len(own) > 1 else np.zeros(len(numbers), bool)
        filled = numbers[~empty, place] if not empty.all() else np.zeros(1)
        quantiles = [round(float(value), 4) for value in np.quantile(filled, LEVELS)]
        shapes.append(ColumnShape(quantiles=quantiles, missing=float(empty.mean())))
    for place, count in enumerate(coding.cardinalities):
        shares = np.bincount(codes[:, place], minlength=count) / max(len(codes), 1)
        shapes.append(ColumnShape(shares=[round(float(share), 6) for share in shares]))
    return Background(columns=shapes)


def cell_places(coding: TableCoding) -> list[list[int]]:
    """Of each column of numbers: its place in the matrix of numbers, and that of its indicator where it has one."""
    places, extra = [], len(coding.numbers)
    for place, column in enumerate(coding.numbers):
        places.append([place, extra] if column.indicator else [place])
        extra += column.indicator
    return places


def contributions(
    answer: Answer, numbers: Array, codes: Array, coding: TableCoding, background: tuple[Array, Array], *,
    permutations: int = PERMUTATIONS, seed: int = 0, control: JobControl | None = None,
) -> tuple[float, Array]:  # fmt: skip
    """Shapley values of one row's columns, and what they are counted from: their sum and it make the row's answer.

    numbers (1, width), codes (1, words); background: coded rows. Columns are put in one after another in random order,
    starting at a row of the background (Strumbelj & Kononenko 2014), each order also backwards, which halves the noise.
    Returns the mean answer of the background rows that were started from, and (columns,), numbers first.
    """
    control = control or JobControl()
    rng = np.random.default_rng(seed)
    columns = len(coding.inputs)
    starts = rng.permutation(len(background[0]))
    total, base = np.zeros(columns), 0.0
    walks = 0
    for _ in range(permutations):
        order = rng.permutation(columns)
        for direction in (order, order[::-1]):
            control.check()
            start = starts[walks % len(starts)]
            walked = _walk(numbers, codes, background[0][start], background[1][start], direction, coding)
            path = answer(*walked)
            total[direction] += np.diff(path)
            base += float(path[0])
            walks += 1
    return base / walks, total / walks


def _walk(
    numbers: Array, codes: Array, start_numbers: Array, start_codes: Array, order: Array, coding: TableCoding
) -> tuple[Array, Array]:
    """Rows from the start to the row that is explained, with one more of its columns in each."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    step = np.arange(len(order) + 1)[:, None]
    own = rank[number_owner(coding)]
    own_words = rank[len(coding.numbers) :]
    return (
        np.where(own < step, numbers[0], start_numbers).astype(np.float32),
        np.where(own_words < step, codes[0], start_codes),
    )


def number_owner(coding: TableCoding) -> Array:
    """(width,) of each column of the matrix of numbers, the place of the table's column that it belongs to."""
    return np.array([*range(len(coding.numbers)), *(i for i, one in enumerate(coding.numbers) if one.indicator)], int)


def importance(
    loss: Callable[[Array, Array, Array], float], numbers: Array, codes: Array, target: Array, coding: TableCoding, *,
    seed: int = 0, control: JobControl | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """How much larger the loss becomes where a column is shuffled (Breiman 2001), the most important column first.

    loss: of numbers, codes and target. As many rows are used as keep the work bounded. Returns [{"column",
    "importance", "sd"}]; the spread is over the shuffles.
    """
    control = control or JobControl()
    rng = np.random.default_rng(seed)
    columns = len(coding.inputs)
    most = int(np.clip(MOST_EVALUATIONS / (columns * REPEATS), 100, 2000))
    if len(target) > most:
        rows = np.sort(rng.choice(len(target), most, replace=False))
        numbers, codes, target = numbers[rows], codes[rows], target[rows]
    before = loss(numbers, codes, target)
    places = cell_places(coding)
    found = []
    for column, name in enumerate(coding.inputs):
        control.progress(column / columns, f"Shuffling {name}")
        worse = []
        for _ in range(REPEATS):
            order = rng.permutation(len(target))
            mixed_numbers, mixed_codes = numbers, codes
            if column < len(places):
                mixed_numbers = numbers.copy()
                mixed_numbers[:, places[column]] = numbers[order][:, places[column]]
            else:
                mixed_codes = codes.copy()
                mixed_codes[:, column - len(places)] = codes[order, column - len(places)]
            worse.append(loss(mixed_numbers, mixed_codes, target) - before)
        found.append({"column": name, "importance": float(np.mean(worse)), "sd": float(np.std(worse))})
    return sorted(found, key=lambda one: -one["importance"])


def told(coding: TableCoding, table: Table, row: int, base: float, shares: Array) -> dict[str, Any]:
    """Contributions of a row's columns as plain values, the largest first, each with what stands in its cell."""
    cells: Mapping[str, str | None] = {
        name: table[name].take(np.array([row])).strings()[0] for name in coding.inputs if name in table.columns
    }
    order = np.argsort(-np.abs(shares), kind="stable")
    return {
        "base": base,
        "contributions": [
            {"column": coding.inputs[i], "value": cells.get(coding.inputs[i]), "contribution": float(shares[i])}
            for i in order
        ],
    }  # fmt: skip
