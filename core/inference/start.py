"""Starting from weights: the origin that a run, a model or a file of weights is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.catalog import Catalog, CheckpointRow, RunRow
from core.data.plan import Plan, load_plan
from core.errors import CatalogError, ModelError
from core.inference.kinds import find_model, read_model
from core.inference.manifest import MANIFEST, network_of
from core.inference.package import ModelPackage, weights_file
from core.inference.recorded import recorded_split
from core.kept import kept_experiment
from core.paths import runs_folder
from core.training.origin import START, Origin, seen_in, start_of

FILES = (".safetensors", ".ckpt", ".pt", ".pth")


def find(text: str) -> Origin:
    """The origin that a run's id or name, a model's name or folder, or a file of weights stands for.

    Raises ModelError where there is no such, or the run has no checkpoint.
    """
    path = Path(text).expanduser()
    if path.suffix.lower() in FILES:
        return _of_file(path.absolute())
    if (path / MANIFEST).is_file():
        return _of_package(read_model(path.absolute()))
    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == text), None)
        if run is None:
            try:
                return _of_package(find_model(text))
            except ModelError:
                try:
                    run = catalog.run(text)
                except CatalogError:
                    raise ModelError(
                        f"{text!r} is no run, no model and no file of weights", where="start_from",
                        mend="Give a run's id or name, a model's name or folder, or a .safetensors or .ckpt file.",
                    ) from None  # fmt: skip
        return _of_run(run, catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last"))


def of_task(experiment: Any) -> Origin | None:
    """What an experiment starts from, or None. Raises ModelError where there is no such."""
    text = getattr(experiment.task, "start_from", None)
    return None if text is None else find(text)


def recorded(folder: Path, file: str = START) -> Origin | None:
    """The origin that a run's folder names. `seen` and `plan` are not kept."""
    kept = start_of(folder, file)
    if kept is None:
        return None
    network = network_of(kept["network"]) if kept["network"] else None
    return Origin(kept["title"], Path(kept["file"]), kept["sha256"], network)


def _of_run(run: RunRow, checkpoint: CheckpointRow | None) -> Origin:
    if checkpoint is None or not checkpoint.path.is_file():
        raise ModelError(
            "the run has no checkpoint to start from", where=run.name, mend="Let it train for at least one epoch."
        )
    experiment = kept_experiment(run)
    if experiment.task.data_kind != "scans":
        raise ModelError(f"the run is of another task ({run.task}), not on scans", where=run.name)
    return Origin(
        f"the run {run.name}", checkpoint.path, checkpoint.sha256, experiment.model, load_plan(run.folder),
        _known(seen_in(run.folder)),
    )  # fmt: skip


def _of_package(package: Any) -> Origin:
    """The origin that a model package on scans is; of an ensemble its first network."""
    title = f"the model {package.name} {package.version}"
    if not isinstance(getattr(package, "plan", None), Plan):
        raise ModelError(f"{title} is of another task, not on scans", where=package.folder)
    file, manifest = package.folder / weights_file(0), package.manifest
    seen = _known(manifest.training.seen)
    names = frozenset[str]()
    if seen is None and isinstance(package, ModelPackage):
        parts = recorded_split(package) or {}
        names = frozenset(id for part in ("train", "val") for id in parts.get(part, []))
    return Origin(title, file, manifest.sha256, package.network, package.plan, seen, names)


def _of_file(path: Path) -> Origin:
    if not path.is_file():
        raise ModelError("there is no such file of weights", where=path, mend="Check task.start_from.")
    if (path.parent / MANIFEST).is_file() and path.name == weights_file(0):
        return _of_package(read_model(path.parent))
    if path.parent.name == "checkpoints" and path.parent.parent.parent == runs_folder():
        with Catalog() as catalog:
            for run in catalog.runs():
                for row in catalog.checkpoints(run.id):
                    if row.path == path:
                        return _of_run(run, row)
    return Origin(f"the file {path.name}", path)


def _known(seen: list[str] | None) -> frozenset[str] | None:
    return None if seen is None else frozenset(seen)
