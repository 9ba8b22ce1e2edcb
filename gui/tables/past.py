"""An earlier prediction of a table brought back: the table as it was read then, and the answers from their file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.control import JobControl
from core.inference.package import AnyPackage
from gui.predict.stored import StoredPredictionError, check_output, check_scan
from gui.tables.predicting import Predicted, decisions, numbers
from gui.tables.reading import OpenedTable, open_table

if TYPE_CHECKING:
    from core.catalog import PredictionRow

PREDICTED, PROBABILITY = "predicted ", "probability "  # how the head of the answers' file begins its names


def reopen(row: PredictionRow, model: AnyPackage | None, control: JobControl) -> tuple[OpenedTable, Predicted]:
    """The table and its answers. Raises StoredPredictionError where a file is gone or changed, or DatasetError."""
    check_scan(row, "table")
    check_output(row, "answer")
    opened = open_table(row.scan, row.given.get("kinds") or {}, control)
    predicted = read_answers(row, model, control)
    if len(predicted.answers[0].values) != len(opened.table):
        raise StoredPredictionError(
            "the table has other rows than when it was predicted", where=row.scan, mend="Predict it again."
        )
    return opened, predicted


def read_answers(row: PredictionRow, model: AnyPackage | None, control: JobControl) -> Predicted:
    """The answers from the file that `core.tasks.tabular.predicting` wrote."""
    said, shares = [], []
    with Path(row.output).open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        head = next(lines, [])
        if len(head) < 2 or not head[1].startswith(PREDICTED):
            raise StoredPredictionError("this is no file of answers to a table", where=row.output)
        for number, line in enumerate(lines):
            if number % 1000 == 0:
                control.check()
            said.append(line[1])
            shares.append([float(cell) for cell in line[2:]])
    outcome = head[1].removeprefix(PREDICTED)
    classes = [name.removeprefix(PROBABILITY) for name in head[2:]]
    if not classes:
        return numbers(model, row.output, outcome, np.array(said, float), row.findings)
    return decisions(model, row.output, outcome, classes, said, np.array(shares, float), row.findings)
