"""Publishing: a run's best checkpoint becomes a model package, its accuracy measured on cases it was not trained on."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.errors import DatasetError, UnreadableScan
from core.files import write_bytes, write_text
from core.inference.assemble import Facts, appearing, assemble, write_manifest
from core.inference.calibrating import with_calibration, with_calibration_of_folds
from core.inference.card import write_card
from core.inference.evaluate import evaluate_package
from core.inference.learn_likeness import with_likeness
from core.inference.manifest import Dice
from core.inference.package import CARD, FolderPackage, ModelPackage, graph_file, list_packages, version_key
from core.paths import ensure_home, models_folder

log = logging.getLogger(__name__)
Made = TypeVar("Made", bound=FolderPackage)


def publish(
    run_id_or_name: str, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
    control: JobControl | None = None,
) -> ModelPackage:  # fmt: skip
    """Make a package of the run and record it; the name is the run's unless given, the version the next one.
    half: store the weights in 16 bits; the accuracy is measured with them.

    Raises CatalogError or ModelError, with nothing half-written.
    """
    facts = facts or Facts()
    with Catalog() as catalog:
        run = catalog.run(run_id_or_name)
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")

    def make(part: Path, slug: str, version: str) -> ModelPackage:
        return assemble(run, checkpoint, part, name=slug, version=version, facts=facts, half=half)

    def measure(made: ModelPackage, job: JobControl) -> ModelPackage:
        known = with_look(made, Path(run.data_path), job.part(0.0, 0.1))
        return with_calibrated(_measured(known, run, job.part(0.1, 0.7)), Path(run.data_path), job.part(0.7, 1.0))

    return write_package(name or run.name, run.id, make, measure, control)


def write_package(
    name: str, origin: str, make: Callable[[Path, str, str], ModelPackage],
    measure: Callable[[ModelPackage, JobControl], ModelPackage], control: JobControl | None = None,
) -> ModelPackage:  # fmt: skip
    """Make a package, measure it, write its card and record it as made by the run or group `origin`.

    make: puts the package called (name, version) into a folder; measure: the package with its accuracy.
    """
    control = control or JobControl()

    def measured(part: Path, slug: str, version: str) -> ModelPackage:
        control.progress(0.0, "Reading the checkpoint")
        package = make(part, slug, version)
        control.progress(0.05, "Preparing it for the CPU")
        package = measure(_with_graph(package), control.part(0.1, 0.98))
        write_manifest(part, package.manifest)
        write_card(package)
        return package

    made = new_package(name, origin, measured)
    control.progress(1.0, "Published")
    return made


def new_package(
    name: str, origin: str, make: Callable[[Path, str, str], Made], card: Callable[[Any], str] | None = None
) -> Made:
    """A package of any task under a name and its next version, recorded as made by the run or group `origin`.

    make: writes the package called (name, version) into a folder. card: its text, of the manifest, where `make` does
    not write it. Raises CatalogError or ModelError, and whatever `make` does, with nothing half-written.
    """
    ensure_home()
    slug = model_name(name)
    version = next_version(slug)
    target = models_folder() / f"{slug}-{version}"
    with appearing(target) as part:
        package = make(part, slug, version)
        if card is not None:
            write_text(part / CARD, card(package.manifest))
    with Catalog() as catalog:
        catalog.add_model(name=slug, version=version, folder=target, run=origin, sha256=package.manifest.sha256)
    return type(package).read(target)


def _with_graph(package: ModelPackage) -> ModelPackage:
    """The package with its graphs for OpenVINO beside its weights, for the case that it will come with the program."""
    from core.inference.runtime.convert import prepare

    shas: list[str | None] = []
    for network in package.networks:
        graph = prepare(network)
        content = b"" if graph is None else graph.read_bytes()
        if content:
            write_bytes(package.folder / graph_file(network.place), content)
        shas.append(hashlib.sha256(content).hexdigest() if content else None)
    changes: dict[str, Any] = {"graph_sha256": shas[0]}
    if package.manifest.members is not None:
        pairs = zip(package.manifest.members, shas[1:], strict=True)
        changes["members"] = [member.model_copy(update={"graph_sha256": sha}) for member, sha in pairs]
    return replace(package, manifest=package.manifest.model_copy(update=changes))


def with_look(package: ModelPackage, data: Path, control: JobControl) -> ModelPackage:
    """The package with what its training scans looked like; without it where they are gone."""
    try:
        return with_likeness(package, data, control)
    except (DatasetError, UnreadableScan) as error:
        log.warning("The training scans' look is not recorded: %s", error)
        return package


def with_calibrated(
    package: ModelPackage, data: Path, control: JobControl, folds: Sequence[Sequence[str]] | None = None
) -> ModelPackage:
    """The package with calibrated confidence; without it where the cases for it are gone.

    folds: of an ensemble, what each of its networks was not trained on, where none of the cases is new to all.
    """
    try:
        if folds is not None:
            return with_calibration_of_folds(package, folds, data, control)
        return with_calibration(package, data, control)
    except (DatasetError, UnreadableScan) as error:
        log.warning("The confidence is not calibrated: %s", error)
        return package


def model_name(text: str) -> str:
    """A package's name for what a person called it.

    >>> model_name("My run, 2nd try!")
    'my-run-2nd-try'
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:64] or "model"


def next_version(name: str) -> str:
    versions = [version_key(package.version) for package in list_packages() if package.name == name]
    # A folder that does not read as a package still holds its name.
    for folder in models_folder().glob(f"{name}-*"):
        rest = folder.name.removeprefix(f"{name}-")
        if re.fullmatch(r"\d{1,4}(\.\d{1,4}){0,2}", rest):
            versions.append(version_key(rest))
    if not versions:
        return "1.0"
    major, minor, _ = max(versions)
    return f"{major}.{minor + 1}"


def _measured(package: ModelPackage, run: RunRow, control: JobControl) -> ModelPackage:
    """The package with its Dice over the held-out cases; where the data is gone, with the training's own figures."""
    training = package.manifest.training
    try:
        answer = evaluate_package(
            package, Path(run.data_path), control=control, split=training.measured_on
        )  # fmt: skip
        dice = dice_of(answer["metrics"], package)
    except (DatasetError, UnreadableScan):
        known = {label.name: run.summary.get(f"val/dice/{label.name}") for label in package.plan.labels}
        dice = {name: Dice(mean=value) for name, value in known.items() if value is not None}
        training = training.model_copy(update={"measured_on": "val"})
    updated = training.model_copy(update={"dice": dice})
    return replace(package, manifest=package.manifest.model_copy(update={"training": updated}))


def dice_of(figures: dict[str, float], package: ModelPackage) -> dict[str, Dice]:
    """The Dice of each structure, from the figures of an evaluation."""
    names = [label.name for label in package.plan.labels]
    return {name: Dice(mean=figures[f"test/dice/{name}"], sd=figures[f"test/dice_sd/{name}"]) for name in names}
