"""The pretrained networks, as the commands and the window use models of any task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog, RunRow
from core.control import JobControl
from core.data.plan import load_plan
from core.data.split import load_split
from core.errors import ConfigError, ModelError
from core.files import write_bytes, write_text
from core.inference.assemble import (
    FORBIDDEN,
    Facts,
    describe_data,
    protocol_of,
    shareable,
    weights_of,
    write_manifest,
)  # fmt: skip
from core.inference.manifest import Training
from core.inference.model_kind import ModelKind
from core.inference.package import EXPERIMENT, WEIGHTS
from core.inference.publish import new_package
from core.kept import kept_experiment
from core.tasks.volume_pretraining.package import PretrainedManifest, PretrainedPackage
from core.training.origin import DIGITS, seen_in

INTENDED = "To start the training of a segmentation of like scans from (task.start_from)."


class PretrainedModels(ModelKind):
    predicts = False

    def read(self, folder: Path, *, bundled: bool = False) -> PretrainedPackage:
        return PretrainedPackage.read(folder, bundled=bundled)

    def publish(
        self, run: RunRow, *, name: str | None = None, facts: Facts | None = None, half: bool = False,
        control: JobControl | None = None,
    ) -> PretrainedPackage:  # fmt: skip
        return new_package(
            name or run.name, run.id,
            lambda part, slug, version: PretrainedPackage(
                part, _write(run, part, slug, version, facts or Facts(), half)
            ),
            _card,
        )  # fmt: skip

    def predict(
        self, package: PretrainedPackage, paths: Sequence[Path], out: Path, options: Mapping[str, Any],
        control: JobControl | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        raise ModelError(
            f"{package.name} is a pretrained network, which finds nothing by itself", where=package.folder,
            mend=f"Train a segmentation with task.start_from={package.name}, and predict with that.",
        )  # fmt: skip

    def evaluate(
        self, model: PretrainedPackage | RunRow, data: Path, *, split: str | None = None,
        control: JobControl | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """How well a run tells what is hidden: the loss of the middle of each scan, and of a constant beside it."""
        if isinstance(model, PretrainedPackage):
            raise ModelError(
                f"{model.name} is a pretrained network, which answers nothing by itself", where=model.folder,
                mend="Measure the segmentation that starts from it, or the run that it was made of.",
            )  # fmt: skip
        return measure(model, data, split, control or JobControl())


def measure(run: RunRow, data: Path, split: str | None, control: JobControl) -> dict[str, Any]:
    """The loss of a run's best checkpoint on scans, by ModelKind.evaluate's contract.

    `test/loss_of_mean` is what telling each scan's mean would have, or every place alike: a loss near it has learned
    nothing.
    """
    import torch

    from core.data.cache import CaseCache, cache_folder
    from core.tasks.volume_pretraining.atlas import FILE, Atlas
    from core.tasks.volume_pretraining.module import PretrainingModule
    from core.tasks.volume_pretraining.patches import MiddlePatches
    from core.tasks.volume_pretraining.scans import inspect

    with Catalog() as catalog:
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
    if checkpoint is None:
        raise ModelError("the run has no checkpoint", where=run.name, mend="Let it train for at least one epoch.")
    experiment = kept_experiment(run)
    plan, parts = load_plan(run.folder), load_split(run.folder)
    if split is not None and not parts.get(split):
        raise ConfigError(f"the run has no {split} part", mend="Leave out --split, or set data.test_fraction.")
    scans = inspect(Path(data).expanduser().absolute(), control.part(0, 0.4))
    wanted = set(scans.facts) if split is None else set(parts[split])
    used = [scan for scan in scans.cases if scan.id in wanted & scans.facts.keys()]
    if not used:
        raise ModelError(f"none of the run's {split} scans are there", where=data)
    cache = CaseCache(cache_folder(str(data), used, plan), used, plan)
    cache.fill(control.part(0.4, 0.5))
    from core.training.checkpoints import load_weights

    module = PretrainingModule(experiment, plan).eval()
    module.network.load_state_dict(load_weights(checkpoint.path))
    ids = [scan.id for scan in used]
    atlas = Atlas.load(run.folder / FILE) if (run.folder / FILE).exists() else None
    if atlas is not None:  # all are aligned again: a file may hold another scan by now
        atlas = replace(atlas, fields={}).with_scans(cache, ids, control.part(0.5, 0.6))
    patches = MiddlePatches(cache, ids, experiment, atlas)
    outputs, cases = experiment.ssl.outputs(plan.channels), []
    with torch.inference_mode():
        for number in range(len(patches)):
            control.check()
            control.progress(0.6 + 0.4 * number / len(patches), f"Measuring {used[number].id}")
            item = patches[number]
            batch = {key: value[None] for key, value in item.items() if key != "case"}
            row = {"case": item["case"], "loss": float(module.loss(module(batch["image"]), batch))}
            cases.append(
                row
                | {
                    "loss_of_mean": float(
                        module.loss(batch["target"].new_zeros(1, outputs, *batch["target"].shape[2:]), batch)
                    )
                }
            )
    seen = set(seen_in(run.folder) or ())
    return {
        "model": run.id,
        "metrics": {f"test/{key}": float(np.mean([case[key] for case in cases])) for key in ("loss", "loss_of_mean")},
        "cases": cases,
        "trained_on": sum(
            scans.facts[scan.id].content[:DIGITS] in seen and scan.id not in parts["val"] for scan in used
        ),
        "findings": [finding.as_dict() for finding in scans.findings],
    }


def _write(run: RunRow, folder: Path, name: str, version: str, facts: Facts, half: bool) -> PretrainedManifest:
    """Write the package of a run's best checkpoint into `folder`, without its card."""
    from core.models.weights import without_memory

    with Catalog() as catalog:
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
    if checkpoint is None:
        raise ModelError(
            "the run has no checkpoint to publish", where=run.name, mend="Let it train for at least one epoch."
        )
    experiment = kept_experiment(run)
    plan, split = load_plan(run.folder), load_split(run.folder)
    network = without_memory(lambda: experiment.model.build(plan.channels, experiment.ssl.outputs(plan.channels)))
    weights = weights_of(checkpoint, network, half)
    data, licence = describe_data(Path(run.data_path))
    training = Training(
        data=facts.data or data, licence=facts.licence or licence, simulated=facts.simulated, run=run.id,
        cases={part: len(ids) for part, ids in split.items()}, seen=seen_in(run.folder),
        protocol=f"{protocol_of(experiment, checkpoint)} {facts.notes}".strip(),
    )  # fmt: skip
    manifest = PretrainedManifest(
        name=name, version=version, title=facts.title or run.name, network=experiment.model.model_dump(mode="json"),
        plan=plan, objective=experiment.ssl.name, loss=checkpoint.value, training=training, intended_use=INTENDED,
        forbidden_use=FORBIDDEN, sha256=hashlib.sha256(weights).hexdigest(),
    )  # fmt: skip
    write_bytes(folder / WEIGHTS, weights)
    write_text(folder / EXPERIMENT, shareable(experiment))
    write_manifest(folder, manifest)
    return manifest


def _card(manifest: PretrainedManifest) -> str:
    training = manifest.training
    cases = ", ".join(f"{count} {part}" for part, count in training.cases.items() if count)
    loss = "" if manifest.loss is None else f" Its loss on the scans it was validated on is {manifest.loss:.3f}."
    simulated = " **The scans are simulated.**" if training.simulated else ""
    return (
        f"# {manifest.title}\n\nModel `{manifest.name}`, version {manifest.version}: a pretrained network to start"
        f" from. It finds nothing by itself. **Research use only.**\n\n## Training data\n\n{training.data}, without"
        f" labels. Licence: {training.licence or 'not stated'}. Scans: {cases}.{simulated}\n\n## How it was trained\n\n"
        f"Objective: {manifest.objective}. {training.protocol}{loss}\n\n## Intended use\n\n{manifest.intended_use}\n\n"
        f"## Must not be used for\n\n{manifest.forbidden_use}\n"
    )
