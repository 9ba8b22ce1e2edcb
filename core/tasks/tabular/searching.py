"""Settings chosen by folds within a run's own training and validation rows, before it is trained.

The run's test rows take no part. So where the run is a fold of a cross-validation, its figures are those of the choice
too: a nested cross-validation (Cawley & Talbot 2010).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core import config
from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.counting import counted
from core.data.tables.encode import fit_coding
from core.data.tables.table import Table
from core.errors import ConfigError
from core.files import write_text
from core.tasks.tabular.figures import figures
from core.tasks.tabular.preparing import TablePlan, inputs_of, subjects
from core.tasks.tabular.splitting import deal
from core.training.control import obey

Array = np.ndarray[Any, Any]

FILE = "search.json"  # in the run's folder
OPTIMIZER = {"lr": [3e-4, 1e-3, 3e-3, 1e-2], "weight_decay": [1e-3, 1e-2, 1e-1]}


def searched(experiment: Any, run: RunRow, plan: TablePlan, table: Table, rows: Array, control: JobControl) -> Any:
    """The experiment with the settings that a run's search has found, or finds now in these rows of the table."""
    if not experiment.search.trials:
        return experiment
    if not (run.folder / FILE).is_file():
        found = search(experiment, plan, table, rows, control, lambda: obey(run.id, lambda _paused: None))
        write_text(run.folder / FILE, json.dumps(found))
        with Catalog() as catalog:
            catalog.add_event(run.id, "info", words(found))
    return as_searched(experiment, run.folder)


def as_searched(experiment: Any, folder: Path) -> Any:
    """The experiment of a run's folder with what its search chose, where there was one."""
    found = load(folder)
    return experiment if found is None else _with(experiment, found["chosen"])


def load(folder: Path) -> dict[str, Any] | None:
    """What the search of a run's folder found, or None; see `search`."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return found if isinstance(found["chosen"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def words(found: Mapping[str, Any]) -> str:
    """What a search found, in a sentence."""
    chosen = ", ".join(f"{name.partition('.')[2]} {value}" for name, value in found["chosen"].items()) or "those given"
    losses = [trial["loss"] for trial in found["trials"]]
    return (
        f"Of {counted(len(losses), 'setting')} tried in {found['folds']} folds of the training rows the best are"
        f" {chosen}: loss {min(losses):.4f}, of those given {losses[0]:.4f}."
    )


def search(
    experiment: Any, plan: TablePlan, table: Table, rows: Array, control: JobControl,
    between: Callable[[], None] = lambda: None,
) -> dict[str, Any]:  # fmt: skip
    """Try settings by folds of some rows; the experiment's own come first, others at random from those of the network.

    Returns {"chosen": {dotted key: value}, "folds", "trials": [{"settings": {...}, "loss"}]}; a loss is the mean over
    the folds of the log-loss, or of the squared error of the standardised outcome. between: called before each fit, to
    stop or to wait. Raises ConfigError where there are
    too few rows of an outcome for the folds.
    """
    from sklearn.model_selection import ParameterSampler

    space = {f"model.{name}": values for name, values in getattr(experiment.model, "SEARCHED", {}).items()}
    space |= {f"optimizer.{name}": values for name, values in OPTIMIZER.items()}
    size = int(np.prod([len(values) for values in space.values()]))
    more = min(experiment.search.trials - 1, size)
    drawn = list(ParameterSampler(space, more, random_state=experiment.seed)) if more else []
    folds = _folds(experiment, plan, table, rows, control.part(0.0, 0.1))
    trials = []
    for number, settings in enumerate([{}, *drawn]):
        tried, losses = _with(experiment, settings), []
        for place, fold in enumerate(folds):
            between()
            step = (number * len(folds) + place) / (len(folds) * (len(drawn) + 1))
            naming = control.naming(f"Settings {number + 1} of {len(drawn) + 1}", 0.1 + 0.9 * step)
            losses.append(_loss(tried, plan, *fold, naming))
        trials.append({"settings": settings, "loss": float(np.mean(losses))})
    best = min(trials, key=lambda trial: trial["loss"])
    return {"chosen": best["settings"], "folds": len(folds), "trials": trials}


def _folds(
    experiment: Any, plan: TablePlan, table: Table, rows: Array, control: JobControl
) -> list[tuple[Any, Any, Any]]:
    """Of each inner fold its coding, the rows that are trained on, taught once for all trials, and those kept out."""
    from core.tasks.tabular.data import Rows
    from core.tasks.tabular.taught import training_rows

    outcome = plan.outcome
    target = outcome.codes(table[outcome.column].take(rows))
    strata = target if outcome.classes else None
    if strata is not None and int(np.bincount(strata).min()) < experiment.search.folds:
        raise ConfigError(
            "the rarest outcome is too rare for the folds of the search",
            mend="Choose fewer search.folds, or no search.",
        )
    groups = None if plan.group is None else subjects(table[plan.group].take(rows))
    fold_of = deal(len(rows), strata, groups, experiment.search.folds, experiment.seed)
    made = []
    for fold in range(experiment.search.folds):
        control.progress(fold / experiment.search.folds, "Preparing the folds of the search")
        fitted, kept_out = rows[fold_of != fold], rows[fold_of == fold]
        coding = fit_coding(inputs_of(table, experiment.data), fitted)
        train = training_rows(
            experiment.task, *coding.encode(table, fitted), target[fold_of != fold], len(outcome.classes), coding,
            seed=experiment.seed, groups=None if groups is None else groups[fold_of != fold], control=control,
        )  # fmt: skip
        made.append((coding, train, Rows.of(*coding.encode(table, kept_out), target[fold_of == fold])))
    return made


def _loss(experiment: Any, plan: TablePlan, coding: Any, train: Any, val: Any, control: JobControl) -> float:
    """Of a network with these settings, stopped early, on the rows of an inner fold."""
    from core.tasks.tabular.fitting import fit_network
    from core.tasks.tabular.module import outputs_of

    outputs = plan.outcome.outputs
    network = fit_network(
        experiment, train, val, cardinalities=coding.cardinalities, classes=outputs, seed=experiment.seed,
        control=control,
    )  # fmt: skip
    return float(figures(outputs_of(network, val, outputs), val.target.numpy())["loss"])


def _with(experiment: Any, settings: Mapping[str, Any]) -> Any:
    """The experiment with other values at dotted keys. Raises ConfigError where they do not fit."""
    tree = config.to_tree(experiment)
    for key, value in settings.items():
        block, _, name = key.partition(".")
        tree[block][name] = value
    return config.parse(tree)
