"""Model packages: a folder with a network's description, its weights and its card, read as data and never run.

    model.yaml            the manifest: what the model is, what it was trained on, how well it does
    weights.safetensors   the network's weights; those of an ensemble's further ones are weights-2.safetensors, ...
    graph.zip             its layers for OpenVINO (graph-2.zip, ...); optional, and read only in packages that come
                          with the program
    card.md               the same for a person to read
    experiment.yaml       the experiment that made it

Packages that come with the program lie in resources/models, the user's own in `models` of the home folder. Listing
them reads the manifests only.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

from core import registry
from core.config import MAX_CONFIG_BYTES
from core.data.plan import Plan
from core.errors import ConfigError, ModelError
from core.inference.manifest import MANIFEST, Manifest, network_of, parse_as, task_in
from core.paths import RESOURCES, models_folder
from core.registry import Part

log = logging.getLogger(__name__)

WEIGHTS, CARD, EXPERIMENT = "weights.safetensors", "card.md", "experiment.yaml"
FILES = (MANIFEST, WEIGHTS, CARD, EXPERIMENT)
GRAPH = "graph.zip"  # not among FILES: it does not travel, and none from elsewhere is read
MAX_WEIGHTS_BYTES = 2 * 1024**3

Activation = Literal["softmax", "sigmoid", "none"]
Package = TypeVar("Package", bound="AnyPackage")


class AnyPackage(Protocol):
    """What packages of every task have."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def card(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def bundled(self) -> bool: ...
    @property
    def weights(self) -> Mapping[str, str]:
        """The sha256 of each file of weights, by the file's name."""
        ...

    def as_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class FolderPackage:
    """A package on disk with its manifest read and checked: what those of every task do alike.

    described_by: the type of the manifest. of: what the packages of the task are for, such as "tables".
    """

    described_by: ClassVar[type[Part]]
    of: ClassVar[str]

    folder: Path
    manifest: Any
    bundled: bool = False

    @classmethod
    def read(cls, folder: Path, *, bundled: bool = False) -> Self:
        """The package in `folder`. Raises ModelError where its manifest is missing, wrong or of another task."""
        data, path = manifest_bytes(folder), folder / MANIFEST
        if (task := task_in(data)) != cls.described_by.model_fields["task"].default:
            raise ModelError(f"this is a model for another task ({task}), not for {cls.of}", where=path)
        return cls(folder, parse_as(cls.described_by, data, path), bundled)

    @property
    def name(self) -> str:
        return str(self.manifest.name)

    @property
    def version(self) -> str:
        return str(self.manifest.version)

    @property
    def title(self) -> str:
        return str(self.manifest.title)

    @property
    def summary(self) -> str:
        """What it does and how well, in one line."""
        raise NotImplementedError

    @property
    def card(self) -> str:
        """The text of card.md, or "" where there is none."""
        return card_in(self.folder)

    @property
    def weights(self) -> Mapping[str, str]:
        """The sha256 of each file of weights, by the file's name."""
        return {WEIGHTS: self.manifest.sha256}

    def as_dict(self) -> dict[str, Any]:
        """The manifest and the place, as plain values."""
        return {**self.manifest.model_dump(mode="json"), "folder": str(self.folder), "bundled": self.bundled,
                "summary": self.summary}  # fmt: skip


@dataclass(frozen=True)
class ModelPackage(FolderPackage):
    """The package of a model for scans; the weights are not read yet.

    place: of an ensemble's network seen by itself, which it is. left_out: how many networks `first` took away.
    """

    described_by = Manifest
    of = "scans"

    manifest: Manifest
    place: int = 0
    left_out: int = 0

    @property
    def plan(self) -> Plan:
        return self.manifest.plan

    @property
    def network(self) -> Any:
        """The network's configuration, a registered part; its `build` makes the network."""
        return network_of(self.manifest.network)

    @property
    def pipeline(self) -> Any:
        """How another program prepares scans for this model; None: as models of our own (core.data.prepare)."""
        tree = self.manifest.pipeline
        return None if tree is None else registry.made(tree, "pipeline")

    @property
    def activation(self) -> Activation:
        """What makes probabilities of the network's raw answers; a pipeline of another program does so itself."""
        if self.manifest.pipeline is not None:
            return "none"
        return "sigmoid" if self.plan.overlapping else "softmax"

    @property
    def any_voxels(self) -> bool:
        """Whether scans keep their own voxels, so that the plan's spacing says nothing."""
        return self.pipeline is not None and self.pipeline.any_voxels

    @property
    def networks(self) -> tuple[ModelPackage, ...]:
        """Each network as a package of its own; one, unless this is an ensemble."""
        alone = {"format": 1, "members": None}
        further = (
            replace(
                self, place=place, left_out=0,
                manifest=self.manifest.model_copy(
                    update={**alone, "sha256": member.sha256, "graph_sha256": member.graph_sha256}
                ),
            )
            for place, member in enumerate(self.manifest.members or (), start=1)
        )  # fmt: skip
        return (replace(self, manifest=self.manifest.model_copy(update=alone), left_out=0), *further)

    def first(self, count: int) -> ModelPackage:
        """An ensemble of only its first networks. Raises ConfigError where there are not so many."""
        there = 1 + len(self.manifest.members or ())
        if not 1 <= count <= there:
            what = "one network" if there == 1 else f"{there} networks"
            raise ConfigError(f"{self.title} has {what}, not {count}", mend=f"Choose 1 to {there}.")
        kept = (self.manifest.members or [])[: count - 1] or None
        changes: dict[str, Any] = {"format": 2 if kept else 1, "members": kept}
        if count < there:
            changes["calibration"] = None  # that of all of them together
        manifest = self.manifest.model_copy(update=changes)
        return replace(self, manifest=manifest, left_out=self.left_out + there - count)

    @property
    def weights(self) -> Mapping[str, str]:
        """The sha256 of each network's weights, by the file's name."""
        return {weights_file(network.place): network.manifest.sha256 for network in self.networks}

    @property
    def mean_dice(self) -> float | None:
        """Mean over the structures, or None where it was never measured."""
        dice = self.manifest.training.dice.values()
        return sum(d.mean for d in dice) / len(dice) if dice else None

    @property
    def summary(self) -> str:
        """One line, such as "Dice 0.89 on unseen volumes · CC-BY-SA 4.0"."""
        training = self.manifest.training
        dice = self.mean_dice
        parts = ["accuracy not measured" if dice is None else f"Dice {dice:.3f} on unseen volumes"]
        if self.manifest.members:
            count = 1 + len(self.manifest.members)
            parts.append(f"{count} networks, {count} × the time of one")
        if training.simulated:
            parts.append("trained on simulated data")
        if training.licence:
            parts.append(training.licence)
        return " · ".join(parts)

    def read_weights(self) -> bytes:
        """The weights file's bytes, as `checked_weights`."""
        return checked_weights(self.folder / weights_file(self.place), self.manifest.sha256)


def card_in(folder: Path) -> str:
    """The text of a package's card.md, or "" where there is none."""
    try:
        with (folder / CARD).open("rb") as stream:
            return stream.read(MAX_CONFIG_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""


def checked_weights(path: Path, sha256: str) -> bytes:
    """A weights file's bytes. Raises ModelError where it is missing, too large, or not the one of that sha256."""
    again = "Import the model again."
    try:
        if path.stat().st_size > MAX_WEIGHTS_BYTES:
            raise ModelError(f"the weights are larger than {MAX_WEIGHTS_BYTES // 1024**3} GB", where=path)
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"the weights cannot be read ({reason})", where=path, mend=again) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError("the weights are damaged or were changed (sha256)", where=path, mend=again)
    return data


def weights_file(place: int) -> str:
    """The name of a network's weights, by its place in the ensemble.

    >>> weights_file(0), weights_file(1)
    ('weights.safetensors', 'weights-2.safetensors')
    """
    return WEIGHTS if place == 0 else f"weights-{place + 1}.safetensors"


def graph_file(place: int) -> str:
    return GRAPH if place == 0 else f"graph-{place + 1}.zip"


def manifest_bytes(folder: Path) -> bytes:
    """The content of a package's model.yaml. Raises ModelError where it cannot be read."""
    try:
        with (folder / MANIFEST).open("rb") as stream:
            return stream.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ModelError("this is no model package: its model.yaml cannot be read", where=folder) from error


def list_packages() -> list[ModelPackage]:
    """Every usable package for scans, bundled and the user's own, newest version of a name first."""
    return list_for("segmentation", ModelPackage.read)


def list_for(task: str | None, read: Callable[..., Package]) -> list[Package]:
    """The packages of one task, or of all of them, read by `read(folder, bundled=...)`.

    Damaged ones are logged and left out.
    """
    found = []
    for root, bundled in ((RESOURCES / "models", True), (models_folder(), False)):
        for folder in _folders(root):
            if not (folder / MANIFEST).exists():
                continue
            try:
                if task is None or task_in(manifest_bytes(folder)) == task:
                    found.append(read(folder, bundled=bundled))
            except ModelError as error:
                log.warning("A model is left out: %s", error)
    return sorted(found, key=lambda p: (p.name, [-n for n in version_key(p.version)], not p.bundled))


def find_package(name: str | Path) -> ModelPackage:
    """The newest package of that name, the one called "name-version", or the one in that folder.

    Raises ModelError, naming the models there are.
    """
    packages = list_packages()
    for package in packages:
        if name in (package.name, f"{package.name}-{package.version}"):
            return package
    folder = Path(name).expanduser()
    if (folder / MANIFEST).is_file():
        return ModelPackage.read(folder)
    there_are = ", ".join(dict.fromkeys(package.name for package in packages)) or "none"
    raise ModelError(f"there is no model named {str(name)!r}", mend=f"The models here: {there_are}.")


def version_key(version: str) -> tuple[int, ...]:
    """For ordering: "1.10" comes after "1.9", and "1.0" is "1".

    >>> version_key("1.10") > version_key("1.9")
    True
    """
    numbers = [int(n) for n in re.findall(r"\d+", version)]
    return tuple(numbers + [0] * (3 - len(numbers)))


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    except OSError:
        return []
