"""Packages of risk models: the network's weights, the norms of the images, the clinical values, and the intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from core import registry
from core.inference.manifest import ManifestHead
from core.inference.package import WEIGHTS, FolderPackage, checked_weights
from core.registry import Part
from core.tasks.alzheimers.norms import NORMS, read_norms
from core.tasks.alzheimers.plan import RiskPlan
from core.tasks.alzheimers.uncertainty import Event, Intervals

SIMULATED = "Trained on simulated data: it says nothing about patients."


class RiskTraining(Part):
    """What the model was trained on and how well it did. figures: over subjects that were not trained on.

    by_part: the same by what was there of them. coverage: how many of the intervals held the true score.
    """

    data: str = Field(max_length=400)
    licence: str = Field("", max_length=200)
    cases: dict[Literal["train", "val", "test"], int]
    measured_on: Literal["val", "test"]
    protocol: str = Field("", max_length=4000)
    figures: dict[str, float]
    by_part: dict[str, dict[str, float]] = Field(default_factory=dict)
    simulated: bool = False
    run: str = Field("", max_length=200)


class RiskManifest(ManifestHead):
    """The contents of a model.yaml of a risk model."""

    task: Literal["alzheimers"] = "alzheimers"
    network: Annotated[dict[str, Any], registry.describes("risk_model")]
    plan: RiskPlan
    samples: int = Field(20, ge=1, le=500)
    intervals: Intervals | None = None
    event: Event | None = None
    training: RiskTraining
    norms_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("plan")
    @classmethod
    def _sane_grid(cls, plan: RiskPlan) -> RiskPlan:
        if not all(8 <= side <= 256 for side in plan.shape):
            raise ValueError("shape is out of range")
        if not all(0.5 <= mm <= 20 for mm in plan.spacing_mm):
            raise ValueError("spacing_mm is out of range")
        return plan


@dataclass(frozen=True)
class RiskPackage(FolderPackage):
    """The package of a model of risk scores."""

    described_by = RiskManifest
    of = "risk scores"

    manifest: RiskManifest

    @property
    def simulated(self) -> bool:
        return self.manifest.training.simulated

    @property
    def summary(self) -> str:
        """One line, such as "Alzheimer's risk · r 0.93 on unseen subjects · trained on simulated data"."""
        figures = self.manifest.training.figures
        measured = f"r {figures['pearson']:.2f} on unseen subjects" if "pearson" in figures else "accuracy not measured"
        return " · ".join(["Alzheimer's risk", measured, *(["trained on simulated data"] if self.simulated else [])])

    @property
    def weights(self) -> Mapping[str, str]:
        return {WEIGHTS: self.manifest.sha256, NORMS: self.manifest.norms_sha256}

    def as_dict(self) -> dict[str, Any]:
        """The manifest and the place, as plain values, without the hashes of what it was trained on."""
        tree = super().as_dict()
        tree["plan"].pop("trained_on")
        return tree

    def load(self, device: str = "cpu") -> Any:
        """The `Answerer` with its weights and norms. Raises ModelError where they are damaged or do not fit."""
        from core.inference.network import fill
        from core.tasks.alzheimers.answering import Answerer

        plan, path = self.manifest.plan, self.folder / WEIGHTS
        config = registry.made(self.manifest.network, "risk_model")
        network = fill(
            lambda: config.build(plan.shape, len(plan.values)),
            lambda: checked_weights(path, self.manifest.sha256),
            path,
        )
        norms_path = self.folder / NORMS
        norms = read_norms(checked_weights(norms_path, self.manifest.norms_sha256), plan.shape, norms_path)
        return Answerer(network, plan, norms, self.manifest.samples, device)
