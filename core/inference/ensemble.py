"""Publishing a cross-validation: one package with a network for each fold, whose probabilities are averaged."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from core.catalog import Catalog
from core.catalog.groups import group, runs_of
from core.control import JobControl
from core.errors import ModelError
from core.files import write_bytes
from core.inference import out_of_fold
from core.inference.assemble import Facts, assemble, write_manifest
from core.inference.evaluate import evaluate_package
from core.inference.manifest import Dice, Member
from core.inference.package import WEIGHTS, ModelPackage, weights_file
from core.inference.publish import dice_of, with_calibrated, with_look, write_package


def publish_ensemble(
    group_id_or_name: str, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
    control: JobControl | None = None,
) -> ModelPackage:  # fmt: skip
    """Make one package of a group's finished folds, each with its last checkpoint, and record it.

    Its accuracy is the ensemble's on the part that no fold touched; without one, that of its networks on the cases
    that each had not seen, and the card says so. Raises ModelError where fewer than two folds are finished.
    """
    facts = facts or Facts()
    with Catalog() as catalog:
        row = group(catalog, group_id_or_name)
        finished = {fold: run for fold, run in runs_of(catalog, row.id).items() if run.state == "finished"}
        checkpoints = {fold: catalog.checkpoint(run.id, "last") for fold, run in finished.items()}
    if len(finished) < 2:
        raise ModelError(
            f"{len(finished)} of {row.size} folds are finished, and an ensemble needs two", where=row.id,
            mend=f"`isocenter train --resume {row.id}` goes on; a single run is published by itself.",
        )  # fmt: skip
    first, *further = finished
    trained_on = sum(len(ids) for ids in row.folds)

    def make(part: Path, slug: str, version: str) -> ModelPackage:
        package = assemble(
            finished[first], checkpoints[first], part, name=slug, version=version,
            facts=facts.model_copy(update={"title": facts.title or row.name}), half=half,
        )  # fmt: skip
        members = []
        for place, fold in enumerate(further, start=1):
            with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
                one = assemble(
                    finished[fold], checkpoints[fold], Path(folder), name=slug, version=version, facts=facts, half=half
                )
                write_bytes(part / weights_file(place), (one.folder / WEIGHTS).read_bytes())
                members.append(Member(sha256=one.manifest.sha256))
        network = package.manifest.network["name"]
        protocol = (
            f"An ensemble of {len(finished)} {network} networks from {row.size}-fold cross-validation: each was trained"
            f" on all folds but its own, and is the last checkpoint of its run. {facts.notes}"
        )
        cases = {"train": trained_on, "val": 0, "test": len(row.test)}
        training = package.manifest.training.model_copy(
            update={"cases": cases, "run": row.id, "protocol": protocol.strip()}
        )
        manifest = package.manifest.model_copy(update={"format": 2, "members": members, "training": training})
        write_manifest(part, manifest)
        return replace(package, manifest=manifest)

    def measure(package: ModelPackage, job: JobControl) -> ModelPackage:
        package = with_look(package, Path(row.data_path), job.part(0.0, 0.1))
        folds = None if row.test else [row.folds[fold] for fold in finished]
        package = with_calibrated(package, Path(row.data_path), job.part(0.1, 0.4), folds)
        if row.test:
            answer = evaluate_package(package, Path(row.data_path), control=job.part(0.4, 1.0), split="test")
            changes = {"dice": dice_of(answer["metrics"], package), "measured_on": "test"}
        else:
            table = out_of_fold.measure(row.id, job.part(0.4, 1.0)).table("dice")["over_cases"]
            names = [label.name for label in package.plan.labels]
            dice = {name: Dice(mean=table["mean"][name], sd=table["sd"][name]) for name in names}
            changes = {"dice": dice, "measured_on": "folds"}
        training = package.manifest.training.model_copy(update=changes)
        return replace(package, manifest=package.manifest.model_copy(update={"training": training}))

    return write_package(name or row.name, row.id, make, measure, control)
