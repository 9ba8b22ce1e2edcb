"""How well a cross-validation does: each case measured by the run that did not train on it, on the scan's own grid.

A fold's last checkpoint is measured, not its best: the best one was chosen by these same cases, which would flatter
it. What was measured is kept in the run's folder, so that asking again costs nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import core
from core.catalog import Catalog, CheckpointRow, RunRow
from core.catalog.groups import GroupRow, group, runs_of
from core.control import JobControl
from core.data.dataset import Dataset, discover, inspect
from core.data.folds import Folds
from core.data.plan import Plan
from core.errors import ConfigError, IsocenterError
from core.files import write_text
from core.imaging.channels import read_subject
from core.inference.baselines import baselines
from core.inference.evaluate import TOLERANCE_MM, check_tolerance, evaluate_package, measure_case
from core.metrics.intervals import bootstrap_mean
from core.metrics.segmentation import metrics
from core.metrics.segmentation.summary import summarise

KEPT = "out_of_fold.json"
Row = dict[str, Any]


@dataclass(frozen=True)
class OutOfFold:
    """The cases' figures, by fold; a fold that is not trained to its end is in `missing` with its state."""

    name: str
    group: GroupRow
    structures: list[str]
    folds: dict[int, list[Row]]
    missing: dict[int, str]

    @property
    def rows(self) -> list[Row]:
        return [row for rows in self.folds.values() for row in rows]

    def values(self, metric: str, rows: Sequence[Row] | None = None) -> np.ndarray[Any, Any]:
        """(cases, structures) of one metric."""
        chosen = self.rows if rows is None else rows
        return np.array([[row[metric][name] for name in self.structures] for row in chosen], float)

    def table(self, metric: str) -> dict[str, Any]:
        """Means of one metric by fold, and over folds and over all cases with their standard deviations.

        Each is by structure's name, with "all" for their mean. A spread of one value is None.
        """
        columns = ["all", *self.structures]

        def means(values: np.ndarray[Any, Any]) -> dict[str, float]:
            return dict(zip(columns, [float(values.mean()), *values.mean(axis=0).tolist()], strict=True))

        def spread(values: np.ndarray[Any, Any]) -> dict[str, float | None]:
            if len(values) < 2:
                return dict.fromkeys(columns)
            return dict(zip(columns, values.std(axis=0, ddof=1).tolist(), strict=True))

        by_fold = {fold: means(self.values(metric, rows)) for fold, rows in self.folds.items()}
        of_folds = np.array([list(one.values()) for one in by_fold.values()])
        cases = self.values(metric)
        return {
            "folds": by_fold,
            "over_folds": {"mean": dict(zip(columns, of_folds.mean(axis=0).tolist(), strict=True)),
                           "sd": spread(of_folds)},
            "over_cases": {"mean": means(cases), "sd": spread(np.column_stack([cases.mean(axis=1), cases]))},
            "missed": {name: sum(name in row["missed"] for row in self.rows) for name in self.structures},
        }  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values: figures of `evaluate`'s kind, a table of each metric, and the cases."""
        figures, intervals = summarise(self.rows, self.structures)
        return {
            "group": self.group.id, "name": self.name, "structures": self.structures,
            "missing": {str(fold): state for fold, state in self.missing.items()},
            "metrics": {key.replace("test/", "oof/", 1): value for key, value in figures.items()},
            "intervals": {key.replace("test/", "oof/", 1): value for key, value in intervals.items()},
            "tables": {key: self.table(key) for key in metrics()},
            "cases": [{"fold": fold, **row} for fold, rows in self.folds.items() for row in rows],
        }  # fmt: skip


def measure(
    group_id_or_name: str, control: JobControl | None = None, *, device: str = "auto",
    tolerance_mm: float = TOLERANCE_MM,
) -> OutOfFold:  # fmt: skip
    """Predict each finished fold's own cases with its run.

    Raises CatalogError where there is no such group, ConfigError where no fold is finished, and what `evaluate` does.
    """
    control = control or JobControl()
    check_tolerance(tolerance_mm)
    with Catalog() as catalog:
        row = group(catalog, group_id_or_name)
        runs = runs_of(catalog, row.id)
        checkpoints = {fold: catalog.checkpoint(run.id, "last") for fold, run in runs.items()}
    finished = {fold: run for fold, run in runs.items() if run.state == "finished"}
    if not finished:
        raise ConfigError(
            "no fold is trained to its end yet", where=row.id, mend=f"`isocenter train --resume {row.id}` goes on."
        )
    dataset: Dataset | None = None
    folds = {}
    for done, (fold, run) in enumerate(finished.items()):
        key = _key(checkpoints[fold], tolerance_mm)
        rows = _kept(run, key)
        if rows is None:
            dataset = dataset or _checked(row, control.naming("Checking the data", None))
            part = control.part(done / len(finished), (done + 1) / len(finished))
            rows = _measured(run, checkpoints[fold], dataset, device, tolerance_mm, part)
            write_text(run.folder / KEPT, json.dumps({"key": key, "cases": rows}))
        folds[fold] = rows
    missing = {n: runs[n].state if n in runs else "not begun" for n in range(row.size) if n not in finished}
    return OutOfFold(row.name, row, _structures(row), folds, missing)


def kept(catalog: Catalog, row: GroupRow, tolerance_mm: float = TOLERANCE_MM) -> OutOfFold | None:
    """What was measured before, without predicting anything; None where a finished fold was not."""
    runs = runs_of(catalog, row.id)
    folds: dict[int, list[Row]] = {}
    for fold, run in runs.items():
        if run.state == "finished":
            rows = _kept(run, _key(catalog.checkpoint(run.id, "last"), tolerance_mm))
            if rows is None:
                return None
            folds[fold] = rows
    missing = {n: runs[n].state if n in runs else "not begun" for n in range(row.size) if n not in folds}
    return OutOfFold(row.name, row, _structures(row), folds, missing) if folds else None


def measure_baseline(
    name: str, like: OutOfFold, control: JobControl | None = None, *, tolerance_mm: float = TOLERANCE_MM
) -> OutOfFold:
    """A baseline on the same folds: fitted to each fold's training cases, measured on the fold."""
    control = control or JobControl()
    baseline = baselines()[name]
    plan = Plan.model_validate(like.group.plan)
    cases = {case.id: case for case in discover(Path(like.group.data_path))[1]}
    parts = Folds(like.group.folds, like.group.test)
    found: dict[int, list[Row]] = {}
    for done, fold in enumerate(like.folds):
        share = control.part(done / len(like.folds), (done + 1) / len(like.folds)).naming(f"{name}, fold {fold}", None)
        split = parts.split(fold)
        method = baseline.fit([cases[id] for id in split.train], plan, share)
        found[fold] = []
        for id in split.val:
            share.progress(None, f"Measuring {id}")
            volume = read_subject(cases[id].images)
            found[fold].append(measure_case(cases[id], volume, method(volume), plan, tolerance_mm, share))
    return OutOfFold(f"{name} ({baseline.title})", like.group, like.structures, found, like.missing)


def compare(first: OutOfFold, second: OutOfFold, metric: str) -> dict[str, Any]:
    """Paired differences, first minus second, over the cases that both have.

    By structure and for their mean ("all"): the mean difference with its 95 % bootstrap interval over cases, the p of
    Wilcoxon's signed-rank test (1945; two-sided, no correction for several structures), and in how many cases the
    first is higher. Raises ConfigError where the folds, the images or the structures differ.
    """
    if first.group.fingerprint != second.group.fingerprint:
        raise ConfigError(
            f"{first.name} and {second.name} were not trained on the same folds",
            mend="Train both on the same data with the same seed, number of folds and data.test_fraction.",
        )
    if first.structures != second.structures:
        raise ConfigError(
            f"{first.name} finds {', '.join(first.structures)}, {second.name} finds {', '.join(second.structures)}"
        )
    common = [fold for fold in first.folds if fold in second.folds]
    if not common:
        raise ConfigError(f"{first.name} and {second.name} have no finished fold in common")
    pairs = []
    for one in (first, second):
        rows = sorted((row for fold in common for row in one.folds[fold]), key=lambda row: str(row["case"]))
        values = one.values(metric, rows)
        pairs.append(np.column_stack([values.mean(axis=1), values]))
    differences = pairs[0] - pairs[1]
    columns = zip(["all", *first.structures], differences.T, strict=True)
    return {
        "against": second.name, "metric": metric, "folds": common, "cases": len(differences),
        "differences": {name: _paired(column) for name, column in columns},
    }  # fmt: skip


def p_text(p: float) -> str:
    """A p value as people read it.

    >>> p_text(0.00002), p_text(0.0312)
    ('< 0.0001', '0.0312')
    """
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _paired(differences: np.ndarray[Any, Any]) -> dict[str, Any]:
    from scipy.stats import wilcoxon

    p = float(wilcoxon(differences).pvalue) if differences.any() else 1.0
    return {
        "mean": float(differences.mean()),
        "interval": bootstrap_mean(differences) if len(differences) > 1 else None,
        "p": p, "higher": int((differences > 0).sum()), "lower": int((differences < 0).sum()),
    }  # fmt: skip


def _measured(
    run: RunRow, checkpoint: CheckpointRow | None, dataset: Dataset, device: str, tolerance_mm: float,
    control: JobControl,
) -> list[Row]:  # fmt: skip
    from core.inference.assemble import Facts, assemble

    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        package = assemble(run, checkpoint, Path(folder), name="fold", version="0", facts=Facts())
        answer = evaluate_package(
            package, dataset.path, control=control, split="val", device=device,
            tolerance_mm=tolerance_mm, dataset=dataset,
        )  # fmt: skip
    rows: list[Row] = answer["cases"]
    return rows


def _checked(row: GroupRow, control: JobControl) -> Dataset:
    dataset = inspect(Path(row.data_path), control)
    dataset.require_usable()
    return dataset


def _structures(row: GroupRow) -> list[str]:
    return [label.name for label in Plan.model_validate(row.plan).labels]


def _key(checkpoint: CheckpointRow | None, tolerance_mm: float) -> list[Any]:
    """What the kept figures depend on."""
    return [checkpoint.sha256 if checkpoint else "", tolerance_mm, core.__version__, sorted(metrics())]


def _kept(run: RunRow, key: list[Any]) -> list[Row] | None:
    try:
        content = json.loads((run.folder / KEPT).read_text(encoding="utf-8"))
        rows: list[Row] = content["cases"]
        return rows if content["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, IsocenterError):
        return None
