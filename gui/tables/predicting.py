"""Predicting a table with a model, through the model's kind, and explaining one row."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import ModelError
from core.files import replacing
from core.inference.answers import record
from core.inference.package import AnyPackage
from gui.tables.reading import OpenedTable, cell_of
from gui.tables.rows import Answer

DATA_KIND = "table"


@dataclass(frozen=True)
class Predicted:
    """A model's answers to the rows: columns to show, the file they were saved in, and what has to be known.

    model: None where an earlier prediction's is gone. outcome: the column that is predicted.
    probabilities: (rows, classes) in the order of `classes`; none for numbers.
    """

    model: AnyPackage | None
    output: Path | None
    answers: list[Answer]
    findings: list[dict[str, Any]] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    probabilities: np.ndarray[Any, Any] | None = None
    outcome: str = ""


def predict_table(package: AnyPackage, opened: OpenedTable, out: Path, control: JobControl) -> Predicted:
    """Predict every row, save the answers into `out` and record them. Raises DatasetError, ModelError, CatalogError."""
    source = opened.path
    control.progress(None, f"Predicting {source.name}")
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        if opened.kinds:  # what was mended by hand has to be what is predicted from
            source = Path(folder) / f"{opened.path.name.partition('.')[0]}.csv"
            write_rows(opened, range(len(opened.table)), source, control)
        found = _kind(package).predict(package, [source], out, {}, control)
    record(package, found, source=opened.path, given={"kinds": opened.kinds})
    rows = found["predictions"]
    first = rows[0] if rows else {}
    files = found.get("outputs") or []
    output = Path(files[0]) if files else None
    classes, outcome = tuple(first.get("probabilities", ())), str(first.get("outcome", ""))
    if not classes:
        scores = np.array([row["score"] for row in rows], float)
        return numbers(package, output, outcome, scores, found.get("findings", []))
    shares = np.array([[row["probabilities"][name] for name in classes] for row in rows], float)
    said = [str(row.get("predicted", classes[place])) for row, place in zip(rows, shares.argmax(axis=1), strict=True)]
    return decisions(package, output, outcome, classes, said, shares, found.get("findings", []))


def numbers(
    model: AnyPackage | None, output: Path | None, outcome: str, values: np.ndarray[Any, Any],
    findings: list[dict[str, Any]],
) -> Predicted:  # fmt: skip
    """Answers that are a number a row."""
    return Predicted(model, output, [Answer("Prediction", values, True)], findings, outcome=outcome)


def decisions(
    model: AnyPackage | None, output: Path | None, outcome: str, classes: Sequence[str], said: Sequence[str],
    shares: np.ndarray[Any, Any], findings: list[dict[str, Any]],
) -> Predicted:  # fmt: skip
    """Answers that are a class a row, with its probability; of two classes that of the second, the event."""
    shown = [1] if len(classes) == 2 else range(len(classes))
    answers = [Answer("Prediction", said, False)]
    answers += [Answer(f"P({classes[place]})", shares[:, place], True) for place in shown]
    return Predicted(model, output, answers, findings, tuple(classes), shares, outcome)


def explain_row(package: AnyPackage, opened: OpenedTable, row: int, control: JobControl) -> dict[str, Any]:
    """The model's answer to one row with what speaks for it, as the kind of model gives it: one of "predictions"."""
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        source = Path(folder) / "row.csv"
        write_rows(opened, [row], source, control)
        found = _kind(package).predict(package, [source], Path(folder), {"explain": True}, control)
    answer: dict[str, Any] = found["predictions"][0]
    return answer


def contributions_of(answer: Mapping[str, Any]) -> list[tuple[str, float]]:
    """What speaks for an answer and against it, the strongest first: names and signed sizes."""
    told = answer.get("contributions") or answer.get("explanation") or []
    if isinstance(told, Mapping):
        told = told.get("contributions", told)
    if isinstance(told, Mapping):
        pairs = [(str(name), value) for name, value in told.items() if isinstance(value, int | float)]
    else:
        named = (one for one in told if isinstance(one, Mapping))
        pairs = [
            (str(one.get("name", one.get("column", one.get("feature", "")))),
             one.get("contribution", one.get("value", 0.0)))
            for one in named
        ]  # fmt: skip
    known = [(name, float(value)) for name, value in pairs if isinstance(value, int | float)]
    return sorted(known, key=lambda pair: -abs(pair[1]))


def write_rows(opened: OpenedTable, rows: Sequence[int], path: Path, control: JobControl) -> None:
    """Some rows of a table as CSV."""
    columns = list(opened.table.columns.values())
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in columns])
        for number, row in enumerate(rows):
            if number % 200 == 0:
                control.check()
            writer.writerow([cell_of(column, row) for column in columns])


def _kind(package: AnyPackage) -> Any:
    from core.inference.kinds import kind_of_package

    kind = kind_of_package(package)
    if kind is None:
        raise ModelError(f"{package.name} is a model for scans", mend="Choose a model that takes a table.")
    return kind
