"""How good a tabular model is on rows whose outcome is known: figures, intervals, curves, and what it relies on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.catalog.evaluations import add_evaluation
from core.catalog.groups import group_named
from core.control import JobControl
from core.counting import counted
from core.data.tables.read import read_table
from core.data.tables.table import Table
from core.errors import ConfigError, DatasetError
from core.metrics import curves
from core.metrics.intervals import bootstrap
from core.tasks.tabular import explaining
from core.tasks.tabular.figures import figures
from core.tasks.tabular.package import TablePackage
from core.tasks.tabular.predicting import answer_by, decided, differences, outputs
from core.tasks.tabular.preparing import Outcome, fingerprint, load_split, subjects, with_kinds

Array = np.ndarray[Any, Any]

MOST_KEPT_CASES = 20_000  # of an evaluation in the catalog
RESAMPLES = 1000


@dataclass(frozen=True)
class Judged:
    """Rows with a known outcome and what a package says of them.

    rows: their numbers; part: the table of them; truth: (rows,) class codes or values in their own unit; found: (rows,
    classes) probabilities or (rows, 1) values; groups: (rows,) a number for the subject of each, where it is named.
    """

    rows: Array
    part: Table
    truth: Array
    found: Array
    groups: Array | None
    findings: list[dict[str, str]]


def judge(package: TablePackage, table: Table, rows: Array | None, where: Path) -> Judged:
    """A package's answers to the rows with a known outcome; rows: only these. Raises DatasetError without any."""
    plan = package.manifest.plan
    outcome = plan.outcome
    if outcome.column not in table.columns:
        raise DatasetError(f"there is no column {outcome.column!r} to compare with", where=where)
    rows = np.arange(len(table)) if rows is None else rows
    part = table.take(rows)
    codes = outcome.codes(part[outcome.column])
    known = codes >= 0 if outcome.classes else np.isfinite(codes)
    findings = differences(package, part)
    if not known.all():
        count = int((~known).sum())
        what = (
            f"{counted(count, 'row')} without an outcome that the model knows {'is' if count == 1 else 'are'} left out"
        )
        unseen = sorted({cell for cell in part[outcome.column].strings() if cell is not None} - set(outcome.classes))
        if outcome.classes and unseen:
            what += f" (it never saw {', '.join(unseen[:5])}{' ...' if len(unseen) > 5 else ''})"
        findings.append({"code": "no-outcome", "severity": "warning", "message": what})
    if not known.any():
        raise DatasetError("no row has an outcome that the model knows", where=where)
    part = part.take(np.flatnonzero(known))
    groups = subjects(part[plan.group]) if plan.group in part.columns else None
    return Judged(
        rows[known], part, outcome.truth(part[outcome.column]), outputs(package, part, where), groups, findings
    )  # fmt: skip


def measure(
    package: TablePackage, table: Table, rows: Array | None, where: Path, *, whole: bool = True,
    control: JobControl | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A package over the rows of a table that have a known outcome; rows: only these.

    Returns {"metrics", "cases", "findings"}, and with `whole` also "task", "outcome", "classes", "threshold",
    "intervals" (95 %, by bootstrap over rows, or over subjects where the run had some), "curves" (by class, see
    `core.metrics.curves`; of two classes only of the second), "confusion" and "importance". Raises DatasetError where
    no row has an outcome.
    """
    control = control or JobControl()
    outcome = package.manifest.plan.outcome
    judged = judge(package, table, rows, where)
    part, truth, found = judged.part, judged.truth, judged.found
    answer = {
        "metrics": _named(figures(found, truth, threshold=package.manifest.threshold)),
        "cases": [
            _case(package, row, true, values)
            for row, true, values in zip(judged.rows.tolist(), truth, found, strict=True)
        ],
        "findings": judged.findings,
    }
    if not whole:
        return answer
    control.progress(None, "Resampling")
    return {
        **answer,
        **described(outcome, found, truth, package.manifest.threshold, judged.groups, control),
        "importance": _importance(package, part, truth, control),
    }


def described(
    outcome: Outcome, found: Array, truth: Array, threshold: float, groups: Array | None, control: JobControl
) -> dict[str, Any]:
    """What is shown of probabilities (rows, classes) or values (rows, 1) beside their figures; see `measure`."""
    intervals = bootstrap(
        lambda o, t: figures(o, t, threshold=threshold), found, truth, groups=groups, resamples=RESAMPLES,
        control=control,
    )  # fmt: skip
    shown: dict[str, Any] = {
        "task": "tabular", "outcome": outcome.column, "classes": list(outcome.classes),
        "threshold": threshold if len(outcome.classes) == 2 else None,
        "intervals": _named(intervals),
    }  # fmt: skip
    if outcome.classes:
        each = [1] if len(outcome.classes) == 2 else range(len(outcome.classes))
        shown["curves"] = {
            outcome.classes[c]: curves.binary_curves(found[:, c], (truth == c).astype(int)).as_dict() for c in each
        }
        shown["confusion"] = curves.confusion(found, truth, outcome.classes, threshold).as_dict()
    return shown


def evaluate(
    package: TablePackage, path: Path, *, split: str | None = None, run: Any = None, control: JobControl | None = None
) -> dict[str, Any]:
    """As `measure`, for a file, kept in the catalog: with "id", "model" and "trained_on", how many rows it has seen.

    split: only this part of the run's own table. run: the catalog's row of the run that is measured, where it is one.
    Raises ConfigError where a split is asked for of another table.
    """
    began = time.perf_counter()
    table, rows, trained_on = asked(package, path, split, control)
    model = f"{package.name} {package.version}" if run is None else run.id
    answer = {
        "model": model, **measure(package, table, rows, path, control=control), "trained_on": trained_on,
        "seconds": round(time.perf_counter() - began, 3),
    }  # fmt: skip
    kept = {**answer, "cases": answer["cases"][:MOST_KEPT_CASES], "cases_measured": len(answer["cases"])}
    with Catalog() as catalog:
        id = add_evaluation(
            catalog, model=model if run is None else run.name, run="" if run is None else run.id,
            data=path.absolute(), split=split or "", result=kept, files={}, seconds=answer["seconds"],
        )  # fmt: skip
    return {"id": id, **answer}


def asked(
    package: TablePackage, path: Path, split: str | None, control: JobControl | None
) -> tuple[Table, Array | None, int]:
    """The table, the rows of it that are asked for (None: all), and how many of them were trained on."""
    plan = package.manifest.plan
    table = with_kinds(read_table(path, control), plan.kinds)
    recorded = recorded_split(package)
    same = fingerprint(table) == plan.rows_sha256
    if split is None:
        return table, None, len(recorded["train"]) if same and recorded else 0
    if not same or not recorded:
        raise ConfigError("the split is that of the table the model was trained on, and this is another one")
    if not len(recorded[split]):
        raise DatasetError(f"the recorded {split} part is empty", where=path)
    return table, recorded[split], len(recorded["train"]) if split == "train" else 0


def _case(package: TablePackage, row: int, true: Any, values: Array) -> dict[str, Any]:
    classes = package.manifest.plan.outcome.classes
    if not classes:
        return {"case": str(row), "outcome": float(true), "score": float(values[0])}
    return {
        "case": str(row), "outcome": classes[int(true)], "predicted": decided(package, values),
        "probabilities": dict(zip(classes, map(float, values), strict=True)),
    }  # fmt: skip


def _importance(package: TablePackage, part: Table, truth: Array, control: JobControl) -> list[dict[str, Any]]:
    coding, network = package.manifest.plan.coding, package.load()

    def loss(numbers: Array, codes: Array, target: Array) -> float:
        return figures(answer_by(package, network, numbers, codes), target)["loss"]

    return explaining.importance(loss, *coding.encode(part), truth, coding, control=control)


def _named(found: dict[str, Any]) -> dict[str, Any]:
    return {f"test/{name}": value for name, value in found.items()}


def recorded_split(package: TablePackage) -> dict[str, Array]:
    """The split of the package's run, or of its folds, whose rows were all trained on; none where they are gone."""
    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == package.manifest.training.run), None)
        group = group_named(catalog, package.manifest.training.run)
    if run is not None and run.folder.is_dir():
        return load_split(run.folder)
    if group is None:
        return {}
    train = np.array(sorted(int(row) for ids in group.folds for row in ids), np.int64)
    return {"train": train, "val": train[:0], "test": np.array(sorted(map(int, group.test)), np.int64)}
