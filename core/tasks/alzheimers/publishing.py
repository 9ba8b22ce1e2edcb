"""A risk run becomes a package: weights, norms, and intervals calibrated on its validation subjects."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core import config
from core.catalog import Catalog, CheckpointRow, RunRow
from core.control import JobControl
from core.errors import DatasetError, ModelError
from core.files import write_bytes, write_text
from core.inference.assemble import Facts, protocol_of, shareable, weights_of, write_manifest
from core.inference.package import EXPERIMENT, WEIGHTS
from core.inference.publish import new_package
from core.kept import kept_experiment
from core.models.weights import without_memory
from core.tasks.alzheimers.norms import NORMS
from core.tasks.alzheimers.package import SIMULATED, RiskManifest, RiskPackage, RiskTraining
from core.tasks.alzheimers.plan import load_plan, load_split
from core.tasks.alzheimers.preparing import cache_folder
from core.tasks.alzheimers.starting import words
from core.tasks.alzheimers.uncertainty import FEWEST, Intervals, expected_coverage

Array = np.ndarray[Any, Any]

INTENDED = "Research on subjects like those it was trained on, with every result checked by a person."


def publish(
    run: RunRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
    control: JobControl | None = None,
) -> RiskPackage:  # fmt: skip
    """Make a package of the run and record it; the name is the run's unless given, the version the next one.

    Raises CatalogError, DatasetError or ModelError, with nothing half-written.
    """
    return new_package(
        name or run.name, run.id,
        lambda part, slug, version: assemble(
            run, part, name=slug, version=version, facts=facts or Facts(), half=half, control=control or JobControl()
        ),
        card,
    )  # fmt: skip


@contextmanager
def package_of(run: RunRow, control: JobControl | None = None) -> Iterator[RiskPackage]:
    """A run's best checkpoint as a package, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        yield assemble(
            run, Path(folder), name="run", version="0", facts=Facts(), half=False, control=control or JobControl()
        )


def assemble(
    run: RunRow, folder: Path, *, name: str, version: str, facts: Facts, half: bool, control: JobControl
) -> RiskPackage:
    """Write the package of a run's best checkpoint into `folder`, calibrated and measured on its held-out subjects."""
    experiment = kept_experiment(run)
    checkpoint = kept_checkpoint(run, experiment)
    plan, split = load_plan(run.folder), load_split(run.folder)
    network = without_memory(lambda: experiment.model.build(plan.shape, len(plan.values)))
    weights = weights_of(checkpoint, network, half)
    try:
        norms = (run.folder / NORMS).read_bytes()
    except OSError:
        raise ModelError("the norms of the run's images are gone", where=run.folder / NORMS) from None
    write_bytes(folder / WEIGHTS, weights)
    write_bytes(folder / NORMS, norms)
    measured_on: Any = "test" if len(split["test"]) else "val"
    training = RiskTraining(
        data=facts.data or Path(run.data_path).name, licence=facts.licence,
        cases={part: len(rows) for part, rows in split.items()}, measured_on=measured_on, figures={},
        protocol=" ".join(filter(None, [_protocol(experiment, checkpoint), words(run.folder), facts.notes])),
        run=run.id,
        simulated=facts.simulated or plan.simulated,
    )  # fmt: skip
    manifest = RiskManifest(
        name=name, version=version, title=facts.title or run.name, network=config.to_tree(experiment)["model"],
        plan=plan, samples=experiment.task.samples, training=training, intended_use=facts.intended_use,
        forbidden_use=facts.forbidden_use, sha256=hashlib.sha256(weights).hexdigest(),
        norms_sha256=hashlib.sha256(norms).hexdigest(),
    )  # fmt: skip
    package = _measured(RiskPackage(folder, manifest), run, experiment, split, control)
    write_text(folder / EXPERIMENT, shareable(experiment))
    write_manifest(folder, package.manifest)
    return package


def kept_checkpoint(run: RunRow, experiment: Any) -> CheckpointRow:
    """The checkpoint that a run's model is made of. Raises ModelError where there is none.

    The last one of a run that came to its end where the experiment says so; else the best.
    """
    kinds = ("last", "best") if experiment.task.keep == "last" and run.state == "finished" else ("best", "last")
    with Catalog() as catalog:
        found = catalog.checkpoint(run.id, kinds[0]) or catalog.checkpoint(run.id, kinds[1])
    if found is None:
        raise ModelError("the run has no checkpoint", where=run.name, mend="Let it train for at least one epoch.")
    return found


def _protocol(experiment: Any, checkpoint: CheckpointRow) -> str:
    if checkpoint.kind == "best":
        return protocol_of(experiment, checkpoint)
    trainer = experiment.trainer
    return (
        f"{experiment.model.name} trained with {experiment.optimizer.name} and the {experiment.scheduler.name}"
        f" schedule, batch {trainer.batch_size} times {trainer.accumulate}, seed {experiment.seed}; the weights are"
        f" those of the last of {checkpoint.epoch + 1} epochs."
    )


def _measured(
    package: RiskPackage, run: RunRow, experiment: Any, split: dict[str, Any], control: JobControl
) -> RiskPackage:
    """The package with its intervals and figures; without them where the cohort is gone or was changed."""
    from core.tasks.alzheimers.measuring import by_part, fullest
    from core.tasks.alzheimers.module import figures
    from core.tasks.alzheimers.session import cohort_of
    from core.tasks.alzheimers.uncertainty import fit_event, fit_intervals

    plan = package.manifest.plan
    try:
        cohort = cohort_of(run, experiment, plan, control)
    except DatasetError:
        return package
    val, targets = answers_of(package, cohort, split["val"], control), cohort.targets
    intervals = fit_intervals(val, targets[split["val"]], experiment.task.confidence)
    event = fit_event(np.array([fullest(one)[1].score for one in val]), targets[split["val"]], plan.threshold)
    package = _with(package, intervals=intervals, event=event)
    rows = split[package.manifest.training.measured_on]
    found = answers_of(package, cohort, rows, control) if package.manifest.training.measured_on == "test" else val
    truth = targets[rows].astype(np.float64)
    scores = np.array([fullest(one)[1].score for one in found])
    parts = by_part(found, truth, plan.threshold, intervals)
    training = package.manifest.training.model_copy(
        update={"figures": figures(scores, truth, plan.threshold), "by_part": parts}
    )
    return _with(package, training=training)


def answers_of(package: RiskPackage, cohort: Any, rows: Sequence[int] | Array, control: JobControl) -> list[Any]:
    """The answers for rows of a cohort, by part (`answering.Answerer.answers`)."""
    from core.tasks.alzheimers.data import Volumes

    answerer, plan = package.load(), package.manifest.plan
    held = Volumes(cohort.subjects, plan, cache_folder(), keep=False)
    values = plan.arranged(cohort, rows)
    found = []
    for number, row in enumerate(rows):
        control.progress(number / len(rows), f"Subject {number + 1} of {len(rows)}")
        encoded = answerer.encode(held.get(int(row), control.silent()), values[number])
        if encoded.parts:
            found.append(answerer.all_parts(encoded))
        else:
            raise DatasetError(
                f"of subject {cohort.subjects[row].id} there is neither an image nor a clinical value",
                where=cohort.path, mend="Leave the row out.",
            )  # fmt: skip
    return found


def _with(package: RiskPackage, **changes: Any) -> RiskPackage:
    return replace(package, manifest=package.manifest.model_copy(update=changes))


def card(manifest: RiskManifest) -> str:
    """The model's card as Markdown."""
    training, plan = manifest.training, manifest.plan
    counts = ", ".join(f"{count:,} {part}" for part, count in training.cases.items() if count)
    lines = [
        f"# {manifest.title} {manifest.version}", "",
        *([f"**{SIMULATED}**", ""] if training.simulated else []),
        f"Gives a risk score in 0..1 ({plan.target or 'score'}) from MRI, PET and {len(plan.values)} clinical values,"
        " any of which may be missing.", "",
        f"Trained on {training.data} ({counts} subjects). {training.protocol}", "",
    ]  # fmt: skip
    if training.by_part:
        lines += [
            f"On the {training.measured_on} subjects, by what was there of them:", "",
            "| part | subjects | MSE | MAE | R2 | Pearson r | AUC | coverage | mean width |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_row(name, values) for name, values in training.by_part.items()), "",
            f"The AUC is of scores of at least {plan.threshold:g} against the others.",
        ]  # fmt: skip
        if manifest.intervals is not None:
            lines.append(
                f"Intervals are to hold {manifest.intervals.confidence:.0%} of the true scores; coverage is how many"
                " they did hold." + _spread_of_coverage(manifest.intervals)
            )
        lines.append("")
    lines += [f"Use: {manifest.intended_use or INTENDED}", "", f"Not for: {manifest.forbidden_use}", ""]
    return "\n".join(lines)


def _spread_of_coverage(intervals: Intervals) -> str:
    """How much the coverage itself depends on which subjects happened to be the validation's."""
    subjects = max(intervals.rows.values(), default=0)
    if subjects < FEWEST:
        return ""
    low, high = expected_coverage(subjects, intervals.confidence)
    return f" Intervals from {subjects} validation subjects can be expected to hold {low:.0%} to {high:.0%}."


def _row(name: str, values: dict[str, float]) -> str:
    cells = [
        "" if key not in values else f"{values[key]:.3f}"
        for key in ("mse", "mae", "r2", "pearson", "auroc", "coverage", "interval_width")
    ]
    return f"| {name} | {values['subjects']:.0f} | {' | '.join(cells)} |"
