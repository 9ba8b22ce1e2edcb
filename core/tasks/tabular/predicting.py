"""Predictions for the rows of a table, and how good they are."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.tables.read import read_table
from core.data.tables.table import Kind, Table
from core.files import make_folder, replacing
from core.metrics.calibration import tempered
from core.tasks.tabular.package import TablePackage

Array = np.ndarray[Any, Any]
CHUNK = 8192
MOST_EXPLAINED = 100  # rows


def outputs(package: TablePackage, table: Table, where: Path | None = None) -> Array:
    """(rows, classes) calibrated probabilities, or (rows, 1) values in the outcome's own unit.

    where: the table's file, for an error.

    Raises DatasetError where columns are missing, ModelError where the package is damaged.
    """
    # In double precision, so that a row's answer does not depend on the rows beside it.
    return answer_by(package, package.load().double(), *package.manifest.plan.coding.encode(table, where=where))


def answer_by(package: TablePackage, network: Any, numbers: Array, codes: Array) -> Array:
    """As `outputs`, for coded rows and the package's network, in the network's own precision."""
    import torch

    outcome = package.manifest.plan.outcome
    kind = next(network.parameters()).dtype
    parts = []
    with torch.inference_mode():
        for start in range(0, len(numbers), CHUNK):
            part = slice(start, start + CHUNK)
            found = network(torch.from_numpy(numbers[part]).to(kind), torch.from_numpy(codes[part]))
            parts.append((found.softmax(dim=-1) if outcome.classes else found).mean(dim=1))
    result: Array = torch.cat(parts).double().numpy()
    if outcome.classes:
        return tempered(result, package.manifest.temperature)
    return result * outcome.scale + outcome.mean


def predict_rows(
    package: TablePackage, path: Path, out: Path, *, explain: bool = False, control: JobControl | None = None
) -> dict[str, Any]:
    """Predict every row of a table and write `<table's stem>_predictions.csv` into `out`.

    explain: add "explanation" to the first MOST_EXPLAINED rows: what each column adds to the probability of the second
    class (of several: of the one that is decided for), or to the number, counted from a typical answer ("base").
    Returns {"predictions": [...], "findings": [...]}. Raises DatasetError, ModelError or IsocenterError.
    """
    began = time.perf_counter()
    control = control or JobControl()
    table = read_table(path, control)
    outcome = package.manifest.plan.outcome
    found = outputs(package, table, path)
    findings = differences(package, table)
    explained = _explained(package, table, found, findings, control) if explain else []
    target = out / f"{path.name.partition('.')[0]}_predictions.csv"
    make_folder(out)
    with replacing(target) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", f"predicted {outcome.column}", *(f"probability {name}" for name in outcome.classes)])
        for row, values in enumerate(found):
            shares = [f"{value:.6f}" for value in values] if outcome.classes else []
            writer.writerow([row, decided(package, values), *shares])
    seconds = time.perf_counter() - began
    rows = [
        {
            "scan": str(path), "row": row, "model": package.name, "output": str(target), "outcome": outcome.column,
            **(
                {"predicted": decided(package, values),
                 "probabilities": dict(zip(outcome.classes, map(float, values), strict=True)),
                 **({"threshold": package.manifest.threshold} if len(outcome.classes) == 2 else {})}
                if outcome.classes else {"score": float(values[0])}
            ),
            **({"explanation": explained[row]} if row < len(explained) else {}),
            "findings": findings if row == 0 else [], "seconds": round(seconds / len(found), 6),
        }
        for row, values in enumerate(found)
    ]  # fmt: skip
    return {"predictions": rows, "findings": findings, "output": str(target)}


def _explained(
    package: TablePackage, table: Table, found: Array, findings: list[dict[str, str]], control: JobControl
) -> list[dict[str, Any]]:
    from core.tasks.tabular import explaining

    manifest = package.manifest
    coding, background = manifest.plan.coding, manifest.background
    if background is None:
        what = "the package does not say what its training rows were like, so no answer is explained"
        findings.append({"code": "no-background", "severity": "info", "message": what})
        return []
    if len(found) > MOST_EXPLAINED:
        what = f"the first {MOST_EXPLAINED} of {len(found):,} rows are explained"
        findings.append({"code": "few-explained", "severity": "info", "message": what})
    network, drawn = package.load(), background.draw(coding, explaining.BACKGROUND_ROWS)
    explained = []
    for row in range(min(len(found), MOST_EXPLAINED)):
        control.progress(row / min(len(found), MOST_EXPLAINED), f"Explaining row {row + 1}")
        numbers, codes = coding.encode(table, np.array([row]))
        place = 1 if found.shape[1] == 2 else int(found[row].argmax())
        base, shares = explaining.contributions(
            lambda n, c, place=place: answer_by(package, network, n, c)[:, place],  # type: ignore[misc]
            numbers, codes, coding, drawn, control=control,
        )  # fmt: skip
        of = manifest.plan.outcome.classes[place] if manifest.plan.outcome.classes else manifest.plan.outcome.column
        explained.append({"of": of, **explaining.told(coding, table, row, base, shares)})
    return explained


def differences(package: TablePackage, table: Table) -> list[dict[str, str]]:
    """What a person should know of a table that is not the one that was trained on: new columns, odd values."""
    plan, told = package.manifest.plan, []
    new = [name for name in table.names if name not in plan.coding.inputs and name != plan.outcome.column]
    if new:
        columns = "1 column is" if len(new) == 1 else f"{len(new)} columns are"
        what = f"{columns} not used by the model: {', '.join(new[:5])}{' ...' if len(new) > 5 else ''}"
        told.append({"code": "unused-columns", "severity": "info", "message": what})
    for name, count in plan.coding.outside(table)[:20]:
        values = "1 value is" if count == 1 else f"{count:,} values are"
        what = f"{name}: {values} far outside of those that the model was trained on"
        told.append({"code": "outside", "severity": "warning", "message": what})
    empty = [n for n in plan.coding.inputs if n in table.columns and len(table) > 1 and table[n].missing.all()]
    if empty:
        named = f"{', '.join(empty[:5])}{' ...' if len(empty) > 5 else ''}"
        what = f"{named}: empty in every row, so the model answers without"
        told.append({"code": "all-missing", "severity": "warning", "message": what})
    for column in plan.coding.numbers:
        cells = table.columns.get(column.name)
        if cells is not None and cells.kind == "number" and np.isinf(cells.values).any():
            what = f"{column.name} holds infinite values; they count as missing"
            told.append({"code": "infinite", "severity": "warning", "message": what})
    for column in plan.coding.numbers:
        kind: Kind = "date" if column.date else "number"
        cells = table.columns.get(column.name)
        if cells is None or cells.kind == kind:
            continue
        if count := int((cells.as_kind(kind).missing & ~cells.missing).sum()):
            cells_of = "1 cell holds" if count == 1 else f"{count:,} cells hold"
            what = f"{column.name}: {cells_of} no {kind}, as the model takes it, and so count as missing"
            told.append({"code": "unread", "severity": "warning", "message": what})
    for words in plan.coding.words:
        if words.name not in table.columns:
            continue
        unknown = {cell for cell in table[words.name].strings() if cell is not None} - set(words.levels)
        if unknown:
            what = f"{words.name}: words that the model does not know, such as {min(unknown)[:80]!r}, count as rare"
            told.append({"code": "unknown-words", "severity": "warning", "message": what})
    return told


def decided(package: TablePackage, values: Array) -> Any:
    """The class that is decided for by one row's probabilities, or its number."""
    classes = package.manifest.plan.outcome.classes
    if len(classes) == 2:
        return classes[int(values[1] > package.manifest.threshold)]
    return classes[int(values.argmax())] if classes else float(values[0])
