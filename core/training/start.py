"""Starting from weights: where a network's first weights come from, and what they were trained on.

`find` names the origin, `taken_over` is what an experiment gets from it, `check_overlap` keeps a test honest, and
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
from core.inference.kinds import find_model, read_model
from core.inference.manifest import MANIFEST, MAX_SEEN, network_of
from core.inference.package import ModelPackage, weights_file
from core.paths import runs_folder

SEEN, START = "seen.json", "start.json"
FILES = (".safetensors", ".ckpt", ".pt", ".pth")
DIGITS = 16  # of a hash are enough to tell scans apart
_SEEN_LIMIT = 100_000_000


@dataclass(frozen=True)
class Origin:
    """Weights to begin with.

    title: for people, such as "the run mri-pretrain". sha256: of the file, "" where it is not recorded yet.
    network, plan: the registered part and the plan they belong to; None of a file alone.
    seen: the first DIGITS of the contents (core.data.case.CaseFacts) of all scans they were ever trained on; None where
    that is not known. names: of the cases they were trained on, where only those are known.
    """

    title: str
    file: Path
    sha256: str = ""
    network: Any = None
    plan: Plan | None = None
    seen: frozenset[str] | None = None
    names: frozenset[str] = frozenset()


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


def taken_over(experiment: Any, origin: Origin | None) -> dict[str, Any]:
    """What an experiment gets from its start where it leaves it empty, by dotted key: the network, the grid.

    Raises ConfigError where it has another network.
    """
    if origin is None:
        return {}
    taken: dict[str, Any] = {} if origin.plan is None else {"data.spacing_mm": origin.plan.spacing_mm}
    if (there := origin.network) is None:
        return taken
    if there.name != experiment.model.name:
        raise ConfigError(
            f"task.start_from is {origin.title}, a {there.name}, and the network is a {experiment.model.name}",
            mend=f"Set model.name={there.name}, or start from another one.",
        )
    empty = (key for key, value in experiment.model if value is None and getattr(there, key) is not None)
    return taken | {f"model.{key}": getattr(there, key) for key in empty}


def unsure(origin: Origin, plan: Plan) -> list[Finding]:
    """What makes a start less sure, for the run's events."""
    found = []
    if origin.seen is None:
        checked = "by the names of cases only" if origin.names else "not at all"
        text = (
            f"Which scans {origin.title} was trained on is not known; test cases among them were looked for {checked}."
        )
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
    if origin.seen is None:
        both, are = sorted(origin.names & test.keys()), "have the names of cases in"
    else:
        both, are = sorted(id for id, content in test.items() if content[:DIGITS] in origin.seen), "were in"
    if not both:
        return []
    text = f"{len(both)} of the {len(test)} test cases {are} the training of {origin.title}, such as {both[0]}"
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


def start_of(folder: Path, file: str = START) -> dict[str, Any] | None:
    """What a run's folder keeps of its start, or None where it began with random weights."""
    try:
        kept: dict[str, Any] = json.loads((folder / file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return kept


def start_words(folder: Path, file: str = START) -> str:
    """What a model card says of a run's start: its title, and the test cases it had seen; "" where it had none."""
    kept = start_of(folder, file)
    return "" if kept is None else " ".join([f"{kept['title']}.", *kept["overlap"]])[:1000]


def recorded(folder: Path, file: str = START) -> Origin | None:
    """The origin that a run's folder names. `seen` and `plan` are not kept."""
    kept = start_of(folder, file)
    if kept is None:
        return None
    network = network_of(kept["network"]) if kept["network"] else None
    return Origin(kept["title"], Path(kept["file"]), kept["sha256"], network)


def seen_text(contents: Iterable[str], origin: Origin | None = None) -> str:
    """What a run's folder keeps of the scans its weights were trained on (SEEN), with those of its start.

    Not to be kept where the start's are not known: nothing should seem complete that is not.
    """
    before = frozenset[str]() if origin is None or origin.seen is None else origin.seen
    return json.dumps(sorted({*(content[:DIGITS] for content in contents), *before}))


def seen_in(folder: Path) -> list[str] | None:
    """What a run's folder keeps of the scans its weights were trained on, as a model's manifest has it."""
    path = folder / SEEN
    try:
        if path.stat().st_size > _SEEN_LIMIT:
            return None
        seen = sorted(str(content)[:DIGITS] for content in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return seen if len(seen) <= MAX_SEEN else None


def _of_run(run: RunRow, checkpoint: CheckpointRow | None) -> Origin:
    if checkpoint is None or not checkpoint.path.is_file():
        raise ModelError(
            "the run has no checkpoint to start from", where=run.name, mend="Let it train for at least one epoch."
        )
    experiment = config.parse(config.read_yaml(run.config), where=run.folder)
    if experiment.task.data_kind != "scans":
        raise ModelError(f"the run is of another task ({run.task}), not on scans", where=run.name)
    from core.tasks.segmentation.preparing import load_plan

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
        from core.inference.evaluate import recorded_split

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
