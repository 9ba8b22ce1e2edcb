"""A run on a table becomes a package: its weights, its coding, and a temperature from its validation rows."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core import config
from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.counting import counted
from core.errors import ModelError
from core.files import write_bytes, write_text
from core.inference.assemble import Facts, protocol_of, shareable, weights_of, write_manifest
from core.inference.package import EXPERIMENT, WEIGHTS
from core.inference.publish import new_package
from core.kept import kept_experiment
from core.metrics.calibration import fit_temperature, tempered
from core.metrics.classification import best_threshold
from core.models.weights import without_memory
from core.tasks.tabular.explaining import background_of
from core.tasks.tabular.measuring import measure
from core.tasks.tabular.package import TableManifest, TablePackage, TableTraining
from core.tasks.tabular.predicting import outputs
from core.tasks.tabular.preparing import fingerprint, load_plan, load_split, read_inputs
from core.tasks.tabular.searching import as_searched, words
from core.tasks.tabular.searching import load as load_search

Array = np.ndarray[Any, Any]
MEASURED_ON = {
    "val": "on the validation rows", "test": "on the test rows",
    "folds": "each row by the network that did not see it, not by all of them together",
}  # fmt: skip


def publish(run: RunRow, *, name: str | None = None, facts: Facts | None = None,
            control: JobControl | None = None) -> TablePackage:  # fmt: skip
    """Make a package of the run and record it; the name is the run's unless given, the version the next one.

    Raises CatalogError, DatasetError or ModelError, with nothing half-written.
    """
    return recorded(
        name or run.name, run.id,
        lambda part, slug, version: assemble(
            run, part, name=slug, version=version, facts=facts or Facts(), control=control
        ),
    )  # fmt: skip


def recorded(name: str, origin: str, make: Callable[[Path, str, str], TablePackage]) -> TablePackage:
    """A package that `make` writes into a folder under a name and version, with its card, in the catalog."""
    return new_package(name, origin, make, _card)


@contextmanager
def package_of(run: RunRow, control: JobControl | None = None) -> Iterator[TablePackage]:
    """A run's best checkpoint as a package, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        yield assemble(run, Path(folder), name="run", version="0", facts=Facts(), control=control)


def assemble(
    run: RunRow, folder: Path, *, name: str, version: str, facts: Facts, control: JobControl | None = None
) -> TablePackage:
    """Write the package of a run's best checkpoint into `folder`, calibrated and measured on its held-out rows."""
    with Catalog() as catalog:
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
    if checkpoint is None:
        raise ModelError("the run has no checkpoint", where=run.name, mend="Let it train for at least one epoch.")
    experiment = as_searched(kept_experiment(run), run.folder)
    plan, split = load_plan(run.folder), load_split(run.folder)
    coding, outcome = plan.coding, plan.outcome
    network = without_memory(lambda: experiment.model.build(coding.width, coding.cardinalities, outcome.outputs))
    weights = weights_of(checkpoint, network)
    write_bytes(folder / WEIGHTS, weights)
    measured_on: Any = "test" if len(split["test"]) else "val"
    found = load_search(run.folder)
    protocol = f"{protocol_of(experiment, checkpoint)} {'' if found is None else words(found)} {facts.notes}"
    training = TableTraining(
        data=facts.data or Path(run.data_path).name, cases={part: len(rows) for part, rows in split.items()},
        measured_on=measured_on, protocol=" ".join(protocol.split()), figures={}, run=run.id,
    )  # fmt: skip
    package = TablePackage(
        folder,
        TableManifest(
            name=name, version=version, title=facts.title or run.name, network=config.to_tree(experiment)["model"],
            plan=plan, training=training, intended_use="Research on tables with the same columns, from like patients.",
            forbidden_use=facts.forbidden_use, sha256=hashlib.sha256(weights).hexdigest(),
        ),
    )  # fmt: skip
    package = _measured(package, run, experiment, split, control or JobControl())
    write_text(folder / EXPERIMENT, shareable(experiment))
    write_manifest(folder, package.manifest)
    return package


def _measured(
    package: TablePackage, run: RunRow, experiment: Any, split: dict[str, Any], control: JobControl
) -> TablePackage:
    """The package with its temperature and figures; without them where the table is gone or was changed."""
    path = Path(run.data_path)
    if not path.is_file():
        return package
    table = read_inputs(path, experiment.data, control)
    outcome = package.manifest.plan.outcome
    if fingerprint(table) != package.manifest.plan.rows_sha256:
        return package
    val = table.take(split["val"])
    if outcome.classes:
        target = np.asarray(outcome.codes(val[outcome.column]))
        package = calibrated(package, experiment, outputs(package, val), target)
    coding = package.manifest.plan.coding
    package = changed(package, background=background_of(coding, *coding.encode(table, split["train"])))
    training = package.manifest.training
    metrics = measure(package, table, split[training.measured_on], path, whole=False)["metrics"]
    figures = {name.removeprefix("test/"): value for name, value in metrics.items()}
    return changed(package, training=training.model_copy(update={"figures": figures}))


def calibrated(package: TablePackage, experiment: Any, found: Array, target: Array) -> TablePackage:
    """The package with its temperature, and with its threshold where one is to be chosen.

    found: (rows, classes) probabilities at a temperature of 1, target: (rows,) class codes, not trained on.
    """
    temperature = fit_temperature(found, target)
    package = changed(package, temperature=temperature)
    if found.shape[1] != 2 or experiment.task.decide_by == "half":
        return package
    chosen = best_threshold(tempered(found, temperature)[:, 1], target, experiment.task.decide_by)
    return changed(package, threshold=chosen)


def changed(package: TablePackage, **changes: Any) -> TablePackage:
    return replace(package, manifest=package.manifest.model_copy(update=changes))


def _card(manifest: TableManifest) -> str:
    training = manifest.training
    figures = "\n".join(f"| {name} | {value:.4f} |" for name, value in training.figures.items())
    counts = ", ".join(f"{count:,} {part}" for part, count in training.cases.items() if count)
    measured = MEASURED_ON[training.measured_on]
    return (
        f"# {manifest.title} {manifest.version}\n\nPredicts {manifest.plan.outcome.column} from"
        f" {counted(len(manifest.plan.coding.inputs), 'column')} of a table.\n\n"
        f"Trained on {training.data} ({counts} rows). {training.protocol}\n\n"
        f"| {measured} | |\n| --- | --- |\n{figures}\n\n"
        f"Use: {manifest.intended_use}\n\nNot for: {manifest.forbidden_use}\n"
    )
