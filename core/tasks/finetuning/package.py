"""Packages of models for stays: an encoder with its head, the coding of the grid, and what it was measured at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from core import registry
from core.data.stays.coding import StayCoding
from core.inference.manifest import ManifestHead
from core.inference.package import WEIGHTS, FolderPackage, checked_weights
from core.registry import Part
from core.tasks.finetuning.outcome import Target


class StayTraining(Part):
    """What the model was trained on and how well it did. figures: over stays that were not trained on.

    start: what its encoder began with; "" for random weights. truncate: the share of its stays that were cut short.
    by_hour: some of the figures from what was known after so many "hours".
    """

    data: str = Field(max_length=400)
    cases: dict[Literal["train", "val", "test"], int]
    measured_on: Literal["val", "test"]
    protocol: str = Field("", max_length=4000)
    start: str = Field("", max_length=2000)
    figures: dict[str, float]
    truncate: float = Field(0.0, ge=0, le=1)
    by_hour: list[dict[str, float]] = Field([], max_length=20)
    run: str = Field("", max_length=200)
    simulated: bool = False


class StayManifest(ManifestHead):
    """The contents of a model.yaml for stays.

    shared: one encoder for all heads. ensembles: of trees, at most one a member; packages that do not say have five.
    temperature, threshold: fitted to the validation stays, the latter of the second class's probability by F1.
    cooling: the power of (hours known / all hours) by which the temperature changes, as answers from little are too
    sure. error: the 95th percentile of the absolute error of a number there.
    """

    task: Literal["finetuning"] = "finetuning"
    encoder: Annotated[dict[str, Any], registry.describes("encoder")]
    head: Annotated[dict[str, Any], registry.describes("head")]
    members: int = Field(1, ge=1, le=50)
    shared: bool = False
    trees: bool = False
    ensembles: int = Field(5, ge=1, le=50)
    clinical: bool = False
    coding: StayCoding
    target: Target
    temperature: float = Field(1.0, gt=0, le=100)
    cooling: float = Field(0.0, ge=-3, le=3)
    threshold: float = Field(0.5, ge=0, le=1)
    error: float = Field(0.0, ge=0)
    training: StayTraining


@dataclass(frozen=True)
class StayPackage(FolderPackage):
    """The package of a model for stays."""

    described_by = StayManifest
    of = "stays"

    manifest: StayManifest

    @property
    def summary(self) -> str:
        """One line, such as "predicts death of stays · AUROC 0.85 on unseen stays"."""
        figures = self.manifest.training.figures
        name = next((n for n in ("auroc", "r2") if n in figures), None)
        measured = "accuracy not measured" if name is None else f"{name.upper()} {figures[name]:.3f} on unseen stays"
        return f"predicts {self.manifest.target.title} of stays · {measured}"

    def build(self) -> Any:
        """The network without its weights."""
        from core.tasks.finetuning.building import build

        manifest = self.manifest
        encoder, head = registry.made(manifest.encoder, "encoder"), registry.made(manifest.head, "head")
        return build(
            encoder, head, manifest.coding, manifest.target.outputs, members=manifest.members, shared=manifest.shared,
            ensembles=min(manifest.ensembles, manifest.members) if manifest.trees else 0,
            early=bool(manifest.training.truncate), clinical=manifest.clinical,
        )  # fmt: skip

    def load(self) -> Any:
        """The network with its weights. Raises ModelError where they are damaged or do not fit."""
        from core.inference.network import fill

        path = self.folder / WEIGHTS
        return fill(self.build, lambda: checked_weights(path, self.manifest.sha256), path)
