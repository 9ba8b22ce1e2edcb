"""Predictions for the rows of a table, and how good they are."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.control import JobControl
from core.data.tables.read import read_table
from core.data.tables.table import Table
from core.errors import ConfigError, DatasetError
from core.files import replacing
from core.metrics.calibration import tempered
from core.tasks.tabular.figures import figures
from core.tasks.tabular.package import TablePackage
from core.tasks.tabular.preparing import fingerprint, load_split

Array = np.ndarray[Any, Any]
CHUNK = 8192


def outputs(package: TablePackage, table: Table) -> Array:
    """(rows, classes) calibrated probabilities, or (rows, 1) values in the outcome's own unit.

    Raises DatasetError where columns are missing, ModelError where the package is damaged.
    """
    import torch

    plan = package.manifest.plan
    numbers, codes = plan.coding.encode(table)
    network = package.load().double()  # so that a row's answer does not depend on the rows beside it
    parts = []
    with torch.inference_mode():
        for start in range(0, len(table), CHUNK):
            part = slice(start, start + CHUNK)
            found = network(torch.from_numpy(numbers[part]).double(), torch.from_numpy(codes[part]))
            parts.append((found.softmax(dim=-1) if plan.outcome.classes else found).mean(dim=1))
    result: Array = torch.cat(parts).numpy()
    if plan.outcome.classes:
        return tempered(result, package.manifest.temperature)
    return result * plan.outcome.scale + plan.outcome.mean


def predict_rows(package: TablePackage, path: Path, out: Path, control: JobControl | None = None) -> dict[str, Any]:
    """Predict every row of a table and write `<table's stem>_predictions.csv` into `out`.

    Returns {"predictions": [...], "findings": [...]}. Raises DatasetError, ModelError or IsocenterError.
    """
    began = time.perf_counter()
    table = read_table(path, control)
    outcome = package.manifest.plan.outcome
    found = outputs(package, table)
    findings = differences(package, table)
    target = out / f"{path.name.partition('.')[0]}_predictions.csv"
    out.mkdir(parents=True, exist_ok=True)
    with replacing(target) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", f"predicted {outcome.column}", *(f"probability {name}" for name in outcome.classes)])
        for row, values in enumerate(found):
            shares = [f"{value:.6f}" for value in values] if outcome.classes else []
            writer.writerow([row, _answer(package, values), *shares])
    seconds = time.perf_counter() - began
    rows = [
        {
            "scan": str(path), "row": row, "model": package.name, "output": str(target),
            **(
                {"predicted": _answer(package, values),
                 "probabilities": dict(zip(outcome.classes, map(float, values), strict=True))}
                if outcome.classes else {"score": float(values[0])}
            ),
            "findings": findings if row == 0 else [], "seconds": round(seconds / len(found), 6),
        }
        for row, values in enumerate(found)
    ]  # fmt: skip
    return {"predictions": rows, "findings": findings, "output": str(target)}


def differences(package: TablePackage, table: Table) -> list[dict[str, str]]:
    """What a person should know of a table that is not the one that was trained on: new columns, odd values."""
    plan, told = package.manifest.plan, []
    new = [name for name in table.names if name not in plan.coding.inputs and name != plan.outcome.column]
    if new:
        what = f"{len(new)} columns are not used by the model: {', '.join(new[:5])}{' ...' if len(new) > 5 else ''}"
        told.append({"code": "unused-columns", "severity": "info", "message": what})
    for name, count in plan.coding.outside(table)[:20]:
        what = f"{name}: {count:,} rows have values far outside of those that the model was trained on"
        told.append({"code": "outside", "severity": "warning", "message": what})
    for words in plan.coding.words:
        unknown = {cell for cell in table[words.name].strings() if cell is not None} - set(words.levels)
        if unknown:
            what = f"{words.name}: words that the model does not know, such as {min(unknown)[:80]!r}, count as rare"
            told.append({"code": "unknown-words", "severity": "warning", "message": what})
    return told


def measure(package: TablePackage, table: Table, rows: Array | None, where: Path) -> dict[str, Any]:
    """The metrics of a package over the rows of a table that have a known outcome: {"metrics", "cases", "findings"}.

    rows: only these. Raises DatasetError where there is none.
    """
    outcome = package.manifest.plan.outcome
    if outcome.column not in table.columns:
        raise DatasetError(f"there is no column {outcome.column!r} to compare with", where=where)
    rows = np.arange(len(table)) if rows is None else rows
    part = table.take(rows)
    codes = outcome.codes(part[outcome.column])
    known = codes >= 0 if outcome.classes else np.isfinite(codes)
    findings = differences(package, part)
    if not known.all():
        what = f"{int((~known).sum()):,} rows have no outcome that the model knows; they are left out"
        findings.append({"code": "no-outcome", "severity": "warning", "message": what})
    if not known.any():
        raise DatasetError("no row has an outcome that the model knows", where=where)
    found = outputs(package, part.take(np.flatnonzero(known)))
    truth = codes[known] if outcome.classes else codes[known].astype(np.float64) * outcome.scale + outcome.mean
    cases = [
        {
            "case": str(row),
            "outcome": outcome.classes[int(true)] if outcome.classes else float(true),
            **({"probabilities": dict(zip(outcome.classes, map(float, values), strict=True))}
               if outcome.classes else {"score": float(values[0])}),
        }
        for row, true, values in zip(rows[known].tolist(), truth, found, strict=True)
    ]  # fmt: skip
    return {
        "metrics": {f"test/{name}": value for name, value in figures(found, truth).items()}, "cases": cases,
        "findings": findings,
    }  # fmt: skip


def evaluate(
    package: TablePackage, path: Path, *, split: str | None = None, control: JobControl | None = None
) -> dict[str, Any]:
    """As `measure`, for a file, with "model" and "trained_on": how many of the rows the model was trained on.

    split: only this part of the run's own table. Raises ConfigError where that is another table.
    """
    table = read_table(path, control)
    recorded, rows, trained_on = _recorded(package), None, 0
    same = fingerprint(table) == package.manifest.plan.rows_sha256
    if split is not None:
        if not same or not recorded:
            raise ConfigError("the split is that of the table the model was trained on, and this is another one")
        rows = recorded[split]
        if not len(rows):
            raise DatasetError(f"the recorded {split} part is empty", where=path)
    if same and recorded and split in (None, "train"):
        trained_on = len(recorded["train"])
    answer = measure(package, table, rows, path)
    return {"model": f"{package.name} {package.version}", **answer, "trained_on": trained_on}


def _recorded(package: TablePackage) -> dict[str, Array]:
    """The split of the package's run; none where the run is not here."""
    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == package.manifest.training.run), None)
    return load_split(run.folder) if run is not None and run.folder.is_dir() else {}


def _answer(package: TablePackage, values: Array) -> Any:
    classes = package.manifest.plan.outcome.classes
    return classes[int(values.argmax())] if classes else float(values[0])
