"""A fine-tuning becomes a package: its weights, its coding, and what its validation stays tell of its answers."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.errors import DatasetError, ModelError
from core.files import write_bytes, write_text
from core.inference.assemble import Facts, protocol_of, shareable, weights_of, write_manifest
from core.inference.package import EXPERIMENT, WEIGHTS
from core.inference.publish import new_package
from core.kept import kept_experiment, kept_table
from core.metrics.calibration import fit_temperature
from core.metrics.classification import best_threshold
from core.models.weights import without_memory
from core.tasks.finetuning.answering import answer_all, rows_of
from core.tasks.finetuning.boosting import ensembles_for
from core.tasks.finetuning.by_hour import fit_cooling
from core.tasks.finetuning.package import StayManifest, StayPackage, StayTraining
from core.tasks.finetuning.predicting import measure
from core.tasks.finetuning.preparing import START, every_stay, load_target
from core.tasks.pretraining import preparing

EARLY = ("auroc", "auprc", "brier", "ece", "mae")  # figures that are kept of early answers
WHERE = "Research on stays with the same variables, from like patients, each answer checked by a person."


def publish(
    run: RunRow, *, name: str | None = None, facts: Facts | None = None, control: JobControl | None = None
) -> StayPackage:
    """Make a package of the run and record it; the name is the run's unless given, the version the next one.

    Raises CatalogError, DatasetError or ModelError, with nothing half-written.
    """
    return new_package(
        name or run.name, run.id,
        lambda part, slug, version: assemble(
            run, part, name=slug, version=version, facts=facts or Facts(), control=control
        ),
        _card,
    )  # fmt: skip


@contextmanager
def package_of(run: RunRow, control: JobControl | None = None) -> Iterator[StayPackage]:
    """A run's best checkpoint as a package, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        yield assemble(run, Path(folder), name="run", version="0", facts=Facts(), control=control, measured=False)


def assemble(
    run: RunRow, folder: Path, *, name: str, version: str, facts: Facts, control: JobControl | None = None,
    measured: bool = True,
) -> StayPackage:  # fmt: skip
    """Write the package of a run's best checkpoint into `folder`, calibrated and measured on its held-out stays."""
    with Catalog() as catalog:
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
    if checkpoint is None:
        raise ModelError("the run has no checkpoint", where=run.name, mend="Let it train for at least one epoch.")
    experiment = kept_experiment(run)
    split = preparing.load_split(run.folder)
    start = kept_table(run.folder / START)
    training = StayTraining(
        data=facts.data or Path(run.data_path).name, cases={part: len(ids) for part, ids in split.items()},
        measured_on="test" if split["test"] else "val",
        protocol=f"{protocol_of(experiment, checkpoint)} {facts.notes}".strip(),
        start=" ".join([start["title"] or "", *start["overlap"]]).strip()[:2000], figures={}, run=run.id,
        simulated=facts.simulated, truncate=experiment.task.truncate,
    )  # fmt: skip
    manifest = StayManifest(
        name=name, version=version, title=facts.title or run.name, encoder=experiment.encoder.settings(),
        head=experiment.task.head.model_dump(mode="json"), members=experiment.task.members,
        shared=experiment.task.mode == "probe", trees=experiment.task.trees,
        ensembles=ensembles_for(experiment.task.members),
        clinical=experiment.task.clinical, coding=preparing.load_coding(run.folder), target=load_target(run.folder),
        training=training, intended_use=WHERE, forbidden_use=facts.forbidden_use, sha256="0" * 64,
    )  # fmt: skip
    package = StayPackage(folder, manifest)
    weights = weights_of(checkpoint, without_memory(package.build))
    write_bytes(folder / WEIGHTS, weights)
    package = _with(package, sha256=hashlib.sha256(weights).hexdigest())
    package = _judged(package, run, experiment, split, control or JobControl(), measured)
    write_text(folder / EXPERIMENT, shareable(experiment))
    write_manifest(folder, package.manifest)
    return package


def _judged(
    package: StayPackage, run: RunRow, experiment: Any, split: dict[str, list[str]], control: JobControl, measured: bool
) -> StayPackage:
    """The package with what its validation stays tell, and its figures; without them where the stays are gone."""
    path, target = Path(run.data_path), package.manifest.target
    try:
        stays, outcomes = every_stay(experiment, path, control)
        held = {part: stays.take(preparing.rows_of(stays, split[part], path)) for part in ("val", "test")}
    except DatasetError:
        return package
    value, _ = target.of(outcomes, held["val"].ids)
    network, rows = package.load(), rows_of(package.manifest.coding, held["val"])
    raw = answer_all(package.manifest, network, rows, control)
    if target.kind == "regression":
        error = np.abs(raw - (value * target.scale + target.mean))
        package = _with(package, error=float(np.quantile(error, 0.95)))
    elif target.kind != "multilabel":
        package = _with(package, temperature=fit_temperature(raw, value.astype(int)))
        package = _with(package, cooling=fit_cooling(package.manifest, network, rows, value))
        if target.kind == "binary":
            found = answer_all(package.manifest, network, rows, control)
            package = _with(package, threshold=best_threshold(found[:, 1], value))
    if not measured:
        return package
    part = held[package.manifest.training.measured_on]
    value, _ = target.of(outcomes, part.ids)
    now = measure(package, part, value, control, intervals=False)
    figures = {name.removeprefix("test/"): number for name, number in now["metrics"].items()}
    early = [
        {"hours": of["hours"], **{name: v for name, v in of["metrics"].items() if name in EARLY}}
        for of in now["by_hour"]
    ]
    return _with(package, training=package.manifest.training.model_copy(update={"figures": figures, "by_hour": early}))


def _with(package: StayPackage, **changes: Any) -> StayPackage:
    return replace(package, manifest=package.manifest.model_copy(update=changes))


def _card(manifest: StayManifest) -> str:
    training, coding = manifest.training, manifest.coding
    figures = "\n".join(f"| {name} | {value:.4f} |" for name, value in training.figures.items())
    counts = ", ".join(f"{count:,} {part}" for part, count in training.cases.items() if count)
    hours = "".join(
        f"| {name} after {of['hours']:g} h | {of[name]:.4f} |\n"
        for of in training.by_hour[:-1] for name in ("auroc", "auprc", "mae") if name in of
    )  # fmt: skip
    start = f" Its encoder began with {training.start}" if training.start else ""
    said = "\n\n**Trained on simulated data.**" if training.simulated else ""
    return (
        f"# {manifest.title} {manifest.version}\n\nPredicts {manifest.target.title} from {len(coding.variables)}"
        f" variables over {coding.steps * coding.step_hours:g} hours.{said}\n\nTrained on {training.data}"
        f" ({counts} stays). {training.protocol}{start}\n\n| on the {training.measured_on} stays | |\n| --- | --- |\n"
        f"{figures}\n{hours}\nUse: {manifest.intended_use}\n\nNot for: {manifest.forbidden_use}\n"
    )
