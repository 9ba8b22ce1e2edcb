"""How well a cross-validation on a table does, and whether it is better than simple methods on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.catalog.groups import GroupRow, group, group_named, runs_of
from core.control import JobControl
from core.data.tables.encode import fit_coding
from core.data.tables.table import Table
from core.errors import ConfigError, DatasetError
from core.kept import kept_experiment
from core.metrics import classification
from core.metrics.intervals import compare
from core.tasks.tabular.figures import figures
from core.tasks.tabular.measuring import asked, described, judge, recorded_split
from core.tasks.tabular.package import TablePackage
from core.tasks.tabular.predicting import outputs
from core.tasks.tabular.preparing import (
    CheckedTable,
    Outcome,
    fingerprint,
    inputs_of,
    load_split,
    subjects,
    usable,
)
from core.tasks.tabular.searching import load as load_search
from core.tasks.tabular.searching import words
from core.tasks.tabular.teachers import NAMES, inputs_for, make_method

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Answers:
    """What one method said of every row that a finished fold kept out.

    rows, fold: (rows,) number of the row and of its fold. found: (rows, classes) probabilities or (rows, 1) values.
    """

    name: str
    rows: Array
    fold: Array
    found: Array
    threshold: float = 0.5


def measure_folds(row: GroupRow, *, against: Sequence[str] = (), control: JobControl | None = None) -> dict[str, Any]:
    """See `core.inference.model_kind.ModelKind.folds`.

    against: names of `NAMES`, other groups on the same folds, or "all" for the simple methods that a table is usually
    compared with. Each of them is fitted to all rows that its fold does not keep out.
    """
    control = control or JobControl()
    experiment = kept_experiment(row)
    found = usable(experiment, control)
    outcome = found.learned
    own, missing = _of_runs(row, found.table, control.part(0.0, 0.4))
    truth = outcome.truth(found.table[outcome.column].take(own.rows))
    data = experiment.data
    groups = None if data.group is None else subjects(found.table[data.group].take(own.rows))
    others = []
    wanted = methods_named(against)
    for number, name in enumerate(wanted):
        share = control.part(0.4 + 0.6 * number / len(wanted), 0.4 + 0.6 * (number + 1) / len(wanted))
        if name in NAMES:
            other = _of_method(name, experiment, found, row.test, own, share)
        else:
            with Catalog() as catalog:
                second = group(catalog, name)
            if second.fingerprint != row.fingerprint:
                raise ConfigError(
                    f"{second.name} was not trained on the same folds",
                    mend="Train both on the same table with the same seed, number of folds and data.test_fraction.",
                )
            other, _ = _of_runs(second, found.table, share)
        others.append(_compared(other, own, outcome, truth, groups, share))
    return {
        "group": row.id, "name": row.name, "missing": {str(fold): state for fold, state in missing.items()},
        "remarks": _searches(row),
        **_measured(own, outcome, truth, groups, control), "cases": _cases(own, outcome, truth), "against": others,
    }  # fmt: skip


def beside(
    package: TablePackage, path: Path, *, against: Sequence[str], split: str | None = None,
    control: JobControl | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """See `core.inference.model_kind.ModelKind.beside`: methods fitted to the rows the run trained or validated on.

    Raises DatasetError where the run or its table is gone.
    """
    control = control or JobControl()
    wanted = methods_named(against)
    for name in wanted:
        if name not in NAMES:
            raise ConfigError(f"there is no method named {name!r}", mend=f"Choose from: {', '.join(NAMES)}, or all.")
    table, rows, _ = asked(package, path, split, control)
    judged = judge(package, table, rows, path)
    own = Answers(package.name, judged.rows, np.zeros(len(judged.rows), np.int64), judged.found,
                  package.manifest.threshold)  # fmt: skip
    experiment, found, fitted = trained_with(package, control)
    outcome = package.manifest.plan.outcome
    others = []
    for number, name in enumerate(wanted):
        share = control.part(number / len(wanted), (number + 1) / len(wanted))
        share.progress(0.0, f"Fitting {NAMES[name]}")
        said = fit_and_ask(name, experiment, found, fitted, judged.part)
        other = Answers(name, own.rows, own.fold, said)
        others.append(_compared(other, own, outcome, judged.truth, judged.groups, share))
    return others


def trained_with(package: TablePackage, control: JobControl) -> tuple[Any, CheckedTable, Array]:
    """The experiment of a package's run, its table, and the rows that the run has seen."""
    split, origin = recorded_split(package), package.manifest.training.run
    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == origin), None) or group_named(catalog, origin)
    if run is None or not split:
        raise DatasetError(
            "the run that the model was made of is not here, so no other method can be fitted to its rows",
            where=package.name, mend="Leave --against out.",
        )  # fmt: skip
    experiment = kept_experiment(run)
    found = usable(experiment, control)
    if fingerprint(found.table) != package.manifest.plan.rows_sha256:
        raise DatasetError("the table that the model was trained on was changed", where=found.path)
    return experiment, found, np.sort(np.concatenate([split["train"], split["val"]]))


def methods_named(against: Sequence[str]) -> list[str]:
    """The names, or those that a table is usually compared with where "all" is asked for."""
    return [*USUAL] if list(against) == ["all"] else list(against)


USUAL = ("logistic_regression", "random_forest", "xgboost")


def _of_runs(row: GroupRow, table: Table, control: JobControl) -> tuple[Answers, dict[int, str]]:
    """What the runs of a group say of the rows of their folds; the state of the folds that are not finished."""
    from core.tasks.tabular.publishing import package_of

    with Catalog() as catalog:
        runs = runs_of(catalog, row.id)
    missing = {n: runs[n].state if n in runs else "not begun" for n in range(row.size)}
    rows: list[Array] = []
    folds: list[Array] = []
    found: list[Array] = []
    thresholds: list[float] = []
    for fold, run in runs.items():
        if run.state != "finished":
            continue
        del missing[fold]
        control.progress(len(rows) / row.size, f"Measuring fold {fold}")
        kept_out = load_split(run.folder)["test"]
        with package_of(run, control) as package:
            found.append(outputs(package, table.take(kept_out)))
            thresholds.append(package.manifest.threshold)
        rows.append(kept_out)
        folds.append(np.full(len(kept_out), fold))
    if not rows:
        raise ConfigError(f"{row.name} has no finished fold", mend=f"Go on with it: isocenter train --resume {row.id}")
    together = (np.concatenate(rows), np.concatenate(folds), np.concatenate(found))
    return Answers(row.name, *together, threshold=float(np.mean(thresholds))), missing


def _searches(row: GroupRow) -> list[str]:
    """What the search of each fold chose, where settings were searched for: the figures are of that choice too."""
    with Catalog() as catalog:
        found = {fold: load_search(run.folder) for fold, run in runs_of(catalog, row.id).items()}
    return [f"Fold {fold}. {words(one)}" for fold, one in found.items() if one is not None]


def _of_method(
    name: str, experiment: Any, data: CheckedTable, test: Sequence[str], own: Answers, control: JobControl
) -> Answers:
    """A simple method fitted for each fold to all rows but those that it or the test keeps out."""
    found = np.zeros_like(own.found)
    folds = np.unique(own.fold)
    for number, fold in enumerate(folds):
        control.progress(number / len(folds), f"{NAMES[name]}, fold {fold}")
        judged = own.rows[own.fold == fold]
        fitted = np.setdiff1d(data.rows, np.concatenate([judged, np.array(test, np.int64)]))
        found[own.fold == fold] = fit_and_ask(name, experiment, data, fitted, data.table.take(judged))
    return Answers(name, own.rows, own.fold, found)


def fit_and_ask(name: str, experiment: Any, data: CheckedTable, fitted: Array, rows: Table) -> Array:
    """What a simple method, fitted to some rows of a checked table, says of other rows, as a package does."""
    outcome = data.learned
    coding = fit_coding(inputs_of(data.table, experiment.data), fitted)
    numbers, codes = coding.encode(data.table, fitted)
    method = make_method(name, experiment.seed, len(outcome.classes))
    target = outcome.codes(data.table[outcome.column].take(fitted))
    method.fit(inputs_for(numbers, codes, coding.cardinalities), target)
    inputs = inputs_for(*coding.encode(rows), coding.cardinalities)
    if not outcome.classes:
        return np.asarray(method.predict(inputs))[:, None] * outcome.scale + outcome.mean
    found = np.zeros((len(rows), len(outcome.classes)))
    found[:, np.asarray(method.classes_, int)] = method.predict_proba(inputs)
    return found


def _compared(
    other: Answers, own: Answers, outcome: Outcome, truth: Array, groups: Array | None, control: JobControl
) -> dict[str, Any]:
    """The figures of another method, and this one's less them on the rows that both have."""
    common, mine, theirs = np.intersect1d(own.rows, other.rows, return_indices=True)
    if not len(common):
        raise ConfigError(f"{own.name} and {other.name} have no finished fold in common")
    other = Answers(other.name, common, own.fold[mine], other.found[theirs], other.threshold)
    groups = None if groups is None else groups[mine]
    paired = compare(_main_figures, other.found, own.found[mine], truth[mine], groups=groups, control=control)
    return {
        "name": other.name, "title": NAMES.get(other.name, other.name), "rows": len(common),
        **_measured(other, outcome, truth[mine], groups, control),
        "comparison": {name: one.as_dict() for name, one in paired.items()},
    }  # fmt: skip


def _main_figures(found: Array, truth: Array) -> dict[str, float]:
    """The figures that methods are compared by; fewer than all of them, as they are taken thousands of times."""
    if found.shape[1] != 2:
        return figures(found, truth)
    risk, positive = found[:, 1], truth == 1
    chosen = {"loss": classification.log_loss(found, truth), "brier": float(((risk - positive) ** 2).mean())}
    if 0 < positive.sum() < len(positive):
        chosen |= {"auroc": classification.auroc(risk, positive), "auprc": classification.auprc(risk, positive)}
    return chosen


def _measured(
    one: Answers, outcome: Outcome, truth: Array, groups: Array | None, control: JobControl
) -> dict[str, Any]:
    by_fold = {
        int(fold): figures(one.found[one.fold == fold], truth[one.fold == fold], threshold=one.threshold)
        for fold in np.unique(one.fold)
    }
    names = [name for name in by_fold[min(by_fold)] if all(name in of for of in by_fold.values())]
    columns = {name: [of[name] for of in by_fold.values()] for name in names}
    shown = described(outcome, one.found, truth, one.threshold, groups, control)
    return {
        **{key: value for key, value in shown.items() if key != "intervals"},
        "metrics": _named(figures(one.found, truth, threshold=one.threshold)),
        "intervals": {name.replace("test/", "oof/", 1): value for name, value in shown["intervals"].items()},
        "folds": {str(fold): of for fold, of in by_fold.items()},
        "over_folds": {
            "mean": {name: float(np.mean(values)) for name, values in columns.items()},
            "sd": {name: float(np.std(v, ddof=1)) if len(v) > 1 else None for name, v in columns.items()},
        },
    }  # fmt: skip


def _cases(own: Answers, outcome: Outcome, truth: Array) -> list[dict[str, Any]]:
    rows = []
    for row, fold, true, values in zip(own.rows.tolist(), own.fold.tolist(), truth, own.found, strict=True):
        if outcome.classes:
            said: dict[str, Any] = {"probabilities": dict(zip(outcome.classes, map(float, values), strict=True))}
        else:
            said = {"score": float(values[0])}
        true_name: Any = outcome.classes[int(true)] if outcome.classes else float(true)
        rows.append({"fold": fold, "case": str(row), "outcome": true_name, **said})
    return rows


def _named(found: dict[str, float]) -> dict[str, float]:
    return {f"oof/{name}": value for name, value in found.items()}
