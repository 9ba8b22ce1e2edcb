"""A cross-validation on a table becomes one package: a network for each fold, whose answers are averaged.

Each row was kept from the training of one network. What those networks said of the rows kept from them fits the
ensemble's temperature and threshold, and is its figure where no rows were kept out of all folds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core import config
from core.catalog import Catalog, RunRow
from core.catalog.groups import GroupRow, runs_of
from core.control import JobControl
from core.data.tables.encode import fit_coding
from core.errors import DatasetError, ModelError
from core.files import write_bytes, write_text
from core.inference.assemble import Facts, shareable, write_manifest
from core.inference.package import EXPERIMENT, WEIGHTS, weights_file
from core.kept import kept_experiment
from core.tasks.tabular.explaining import background_of
from core.tasks.tabular.figures import figures
from core.tasks.tabular.measuring import measure
from core.tasks.tabular.package import TableManifest, TableMember, TablePackage, TableTraining
from core.tasks.tabular.predicting import outputs
from core.tasks.tabular.preparing import CheckedTable, TablePlan, fingerprint, load_split, usable
from core.tasks.tabular.publishing import calibrated, changed, package_of, recorded

Array = np.ndarray[Any, Any]

SEARCHED = " The settings of each network were searched for within its own rows."


def publish_folds(
    group: GroupRow, *, name: str | None = None, facts: Facts | None = None, control: JobControl | None = None
) -> TablePackage:
    """Make one package of a group's finished folds, each with its best checkpoint, and record it.

    Raises ModelError where fewer than two folds are finished, DatasetError where the table is gone or was changed.
    """
    control = control or JobControl()
    with Catalog() as catalog:
        runs = {fold: run for fold, run in runs_of(catalog, group.id).items() if run.state == "finished"}
    if len(runs) < 2:
        raise ModelError(
            f"{len(runs)} of {group.size} folds are finished, and an ensemble needs two", where=group.id,
            mend=f"`isocenter train --resume {group.id}` goes on; a single run is published by itself.",
        )  # fmt: skip
    experiment = kept_experiment(group)
    found = usable(experiment, control)

    def make(part: Path, slug: str, version: str) -> TablePackage:
        return _assemble(group, runs, experiment, found, part, slug, version, facts or Facts(), control)

    return recorded(name or group.name, group.id, make)


def _assemble(
    group: GroupRow, runs: dict[int, RunRow], experiment: Any, found: CheckedTable, folder: Path, name: str,
    version: str, facts: Facts, control: JobControl,
) -> TablePackage:  # fmt: skip
    outcome, table, network = found.learned, found.table, config.to_tree(experiment)["model"]
    members: list[TableMember] = []
    rows: list[Array] = []
    answers: list[Array] = []
    for place, (fold, run) in enumerate(runs.items()):
        control.progress(place / (len(runs) + 1), f"Asking the network of fold {fold}")
        kept_out = load_split(run.folder)["test"]
        with package_of(run, control) as one:
            if one.manifest.plan.rows_sha256 != fingerprint(table):
                raise DatasetError("the table is not the one that the folds were trained on", where=found.path)
            data = (one.folder / WEIGHTS).read_bytes()
            own = one.manifest.network if one.manifest.network != network else None  # found by a search of its own
            members.append(TableMember(sha256=one.manifest.sha256, coding=one.manifest.plan.coding, network=own))
            # As the network says it: the ensemble has a temperature of its own.
            answers.append(outputs(changed(one, temperature=1.0), table.take(kept_out)))
        write_bytes(folder / weights_file(place), data)
        rows.append(kept_out)
    learned = np.setdiff1d(found.rows, np.array(group.test, np.int64))
    used = {column for member in members for column in member.coding.inputs}
    inputs = table.without([column for column in table.names if column not in used])
    plan = TablePlan(
        coding=fit_coding(inputs, learned, identifiers=True), outcome=outcome, rows_sha256=fingerprint(table),
        kinds=experiment.data.kinds, group=experiment.data.group,
    )  # fmt: skip
    package = TablePackage(
        folder,
        TableManifest(
            name=name, version=version, title=facts.title or group.name, network=network,
            plan=plan, members=members, training=_training(group, len(runs), experiment, found, learned, facts),
            intended_use="Research on tables with the same columns, from like patients.",
            forbidden_use=facts.forbidden_use, sha256=members[0].sha256,
        ),
    )  # fmt: skip
    said, asked = np.concatenate(answers), table.take(np.concatenate(rows))
    if outcome.classes:
        package = calibrated(package, experiment, said, outcome.codes(asked[outcome.column]))
    package = changed(package, background=background_of(plan.coding, *plan.coding.encode(table, learned)))
    control.progress(len(runs) / (len(runs) + 1), "Measuring the ensemble")
    package = _measured(package, group, found, said, outcome.truth(asked[outcome.column]))
    write_text(folder / EXPERIMENT, shareable(experiment))
    write_manifest(folder, package.manifest)
    return package


def _training(
    group: GroupRow, count: int, experiment: Any, found: CheckedTable, learned: Array, facts: Facts
) -> TableTraining:
    protocol = (
        f"An ensemble of {count} {experiment.model.name} networks from {group.size}-fold cross-validation, whose"
        " probabilities are averaged: each was trained without its fold, and is the best checkpoint of its run by"
        f" {experiment.task.monitor}. Temperature and threshold are fitted out of fold, to what each network said of"
        f" the rows it did not see.{SEARCHED if experiment.search.trials else ''} {facts.notes}"
    )
    return TableTraining(
        data=facts.data or found.path.name, cases={"train": len(learned), "val": 0, "test": len(group.test)},
        measured_on="test" if group.test else "folds", protocol=protocol.strip(), figures={}, run=group.id,
    )  # fmt: skip


def _measured(package: TablePackage, group: GroupRow, found: CheckedTable, said: Array, truth: Array) -> TablePackage:
    """The package with its figures: on the rows that no fold touched, or without such rows out of fold."""
    from core.metrics.calibration import tempered

    if group.test:
        rows = np.array(group.test, np.int64)
        metrics = measure(package, found.table, rows, found.path, whole=False)["metrics"]
        measured = {name.removeprefix("test/"): value for name, value in metrics.items()}
    else:
        answers = tempered(said, package.manifest.temperature) if package.manifest.plan.outcome.classes else said
        measured = figures(answers, truth, threshold=package.manifest.threshold)
    training = package.manifest.training.model_copy(update={"figures": measured})
    return changed(package, training=training)
