"""Starting from weights: where a network's first weights come from, and what they were trained on.

`find` names the origin, `filled` takes over what an experiment leaves empty, `check_overlap` keeps a test honest, and
`core.training.start_weights` reads the weights and gives them to a network.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import config
from core.catalog import Catalog, CheckpointRow, RunRow
from core.data.plan import Plan
from core.errors import CatalogError, ConfigError, DatasetError, ModelError
from core.files import sha256
from core.imaging.volume import Finding
from core.inference.manifest import MANIFEST, network_of
from core.inference.package import ModelPackage, find_package, read_package, weights_file
from core.paths import runs_folder

SEEN, START = "seen.json", "start.json"
FILES = (".safetensors", ".ckpt", ".pt", ".pth")
_SEEN_LIMIT = 100_000_000


@dataclass(frozen=True)
class Origin:
    """Weights to begin with.

    title: for people, such as "the run mri-pretrain". sha256: of the file, "" where it is not recorded yet.
    network, plan: the registered part and the plan they belong to; None of a file alone.
    seen: contents (core.data.case.CaseFacts) of all scans they were ever trained on; None where that is not known.
    """

    title: str
    file: Path
    sha256: str = ""
    network: Any = None
    plan: Plan | None = None
    seen: frozenset[str] | None = None


def find(text: str) -> Origin:
    """The origin that a run's id or name, a model's name or folder, or a file of weights stands for.

    Raises ModelError where there is no such, or the run has no checkpoint.
    """
    path = Path(text).expanduser()
    if path.suffix.lower() in FILES:
        return _of_file(path.absolute())
    if (path / MANIFEST).is_file():
        return _of_package(read_package(path.absolute()))
    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == text), None)
        if run is None:
            try:
                return _of_package(find_package(text))
            except ModelError:
                try:
                    run = catalog.run(text)
                except CatalogError:
                    raise ModelError(
                        f"{text!r} is no run, no model and no file of weights", where="start_from",
                        mend="Give a run's id or name, a model's name or folder, or a .safetensors or .ckpt file.",
                    ) from None  # fmt: skip
        return _of_run(run, catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last"))


def filled(experiment: Any, origin: Origin) -> Any:
    """The experiment with what it leaves empty of its network and grid taken from the origin's.

    Raises ConfigError where it has another network.
    """
    model, there = experiment.model, origin.network
    if there is not None:
        if there.name != model.name:
            raise ConfigError(
                f"task.start_from is {origin.title}, a {there.name}, and the network is a {model.name}",
                mend=f"Set model.name={there.name}, or start from another one.",
            )
        empty = {key: getattr(there, key) for key, value in model if value is None}
        model = model.model_copy(update=empty)
    data = experiment.data
    if origin.plan is not None and data.spacing_mm is None:
        data = data.model_copy(update={"spacing_mm": origin.plan.spacing_mm})
    return experiment.model_copy(update={"model": model, "data": data})


def unsure(origin: Origin, plan: Plan) -> list[Finding]:
    """What makes a start less sure, for the run's events."""
    found = []
    if origin.seen is None:
        text = f"What {origin.title} was trained on is not known, so whether test cases are among it was not checked."
        found.append(Finding("start-unknown", "warning", text))
    if origin.plan is not None:
        there, here = origin.plan.spacing_mm, plan.spacing_mm
        if any(abs(one / other - 1) > 0.05 for one, other in zip(there, here, strict=True)):
            sizes = " mm there and ".join(" x ".join(f"{n:g}" for n in size) for size in (there, here))
            text = f"The start was trained on another grid: {sizes} mm here. It may help less."
            found.append(Finding("start-spacing", "warning", text))
    return found


def check_overlap(origin: Origin, test: Mapping[str, str], *, allowed: bool) -> list[Finding]:
    """Refuse test cases, content by id, that the origin was trained on; where that is allowed, record it.

    Raises DatasetError.
    """
    seen = origin.seen or frozenset()
    both = sorted(id for id, content in test.items() if content in seen)
    if not both:
        return []
    text = f"{len(both)} of the {len(test)} test cases were in the training of {origin.title}, such as {both[0]}"
    if not allowed:
        raise DatasetError(
            text, where="task.start_from",
            mend="Pretrain without them (the same seed and data.test_fraction leave the same ones out), or set"
            " task.allow_overlap=true, which is recorded.",
        )  # fmt: skip
    return [Finding("overlap", "warning", f"{text}; figures on the test part may flatter the network.")]


def start_text(origin: Origin, overlap: Iterable[Finding]) -> str:
    """What a run's folder keeps of its start (START)."""
    kept = {
        "title": origin.title, "file": str(origin.file), "sha256": origin.sha256 or sha256(origin.file),
        "network": origin.network.model_dump(mode="json") if origin.network is not None else None,
        "overlap": [finding.message for finding in overlap],
    }  # fmt: skip
    return json.dumps(kept, indent=1)


def start_of(folder: Path) -> dict[str, Any] | None:
    """What a run's folder keeps of its start, or None where it began with random weights."""
    try:
        kept: dict[str, Any] = json.loads((folder / START).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return kept


def recorded(folder: Path) -> Origin | None:
    """The origin that a run's folder names. `seen` and `plan` are not kept."""
    kept = start_of(folder)
    if kept is None:
        return None
    network = network_of(kept["network"]) if kept["network"] else None
    return Origin(kept["title"], Path(kept["file"]), kept["sha256"], network)


def seen_text(contents: Iterable[str], origin: Origin | None = None) -> str:
    """What a run's folder keeps of the scans its weights were trained on (SEEN), with those of its start.

    Not to be kept where the start's are not known: nothing should seem complete that is not.
    """
    before = frozenset[str]() if origin is None or origin.seen is None else origin.seen
    return json.dumps(sorted({*contents, *before}))


def _of_run(run: RunRow, checkpoint: CheckpointRow | None) -> Origin:
    if checkpoint is None or not checkpoint.path.is_file():
        raise ModelError(
            "the run has no checkpoint to start from", where=run.name, mend="Let it train for at least one epoch."
        )
    experiment = config.parse(config.read_yaml(run.config), where=run.folder)
    network = getattr(experiment, "model", None)
    if network is None:
        raise ModelError(f"the run is of another task ({run.task}) and has no such network", where=run.name)
    return Origin(
        f"the run {run.name}", checkpoint.path, checkpoint.sha256, network, _plan(run.folder), _seen(run.folder)
    )


def _of_package(package: ModelPackage) -> Origin:
    run = package.manifest.training.run
    folder = runs_folder() / run if run and Path(run).name == run else None
    return Origin(
        f"the model {package.name} {package.version}", package.folder / weights_file(0), package.manifest.sha256,
        package.network, package.plan, None if folder is None else _seen(folder),
    )  # fmt: skip


def _of_file(path: Path) -> Origin:
    if not path.is_file():
        raise ModelError("there is no such file of weights", where=path, mend="Check task.start_from.")
    if (path.parent / MANIFEST).is_file() and path.name == weights_file(0):
        return _of_package(read_package(path.parent))
    if path.parent.name == "checkpoints" and path.parent.parent.parent == runs_folder():
        with Catalog() as catalog:
            for run in catalog.runs():
                for row in catalog.checkpoints(run.id):
                    if row.path == path:
                        return _of_run(run, row)
    return Origin(f"the file {path.name}", path)


def _plan(folder: Path) -> Plan | None:
    from core.tasks.segmentation.preparing import PLAN, load_plan

    return load_plan(folder) if (folder / PLAN).is_file() else None


def _seen(folder: Path) -> frozenset[str] | None:
    path = folder / SEEN
    try:
        if path.stat().st_size > _SEEN_LIMIT:
            return None
        return frozenset(str(content) for content in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
