"""Packages of pretrained networks: weights to start from, which find nothing by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from core.data.plan import Plan
from core.inference.manifest import NETWORK, ManifestHead, Training, network_of
from core.inference.package import FolderPackage


class PretrainedManifest(ManifestHead):
    """The contents of the model.yaml of a pretrained network. loss: on the scans it was validated on."""

    task: Literal["volume_pretraining"] = "volume_pretraining"
    network: Annotated[dict[str, Any], NETWORK]
    plan: Plan
    objective: str = Field(max_length=100)
    loss: float | None = Field(None, ge=0)
    training: Training


@dataclass(frozen=True)
class PretrainedPackage(FolderPackage):
    """The package of a pretrained network."""

    described_by = PretrainedManifest
    of = "starts of a training"

    manifest: PretrainedManifest

    @property
    def plan(self) -> Plan:
        return self.manifest.plan

    @property
    def network(self) -> Any:
        """The network's configuration, a registered part."""
        return network_of(self.manifest.network)

    @property
    def summary(self) -> str:
        """One line, such as "pretrained unet to start from · 187 scans"."""
        count = self.manifest.training.cases.get("train", 0)
        return f"pretrained {self.network.name} to start from · {count} scans"
