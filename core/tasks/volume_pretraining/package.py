"""Packages of pretrained networks: weights to start from, which find nothing by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from core.data.plan import Plan
from core.errors import ConfigError, ModelError
from core.inference.manifest import MANIFEST, Training, network_of, parse_as, task_in
from core.inference.package import FolderPackage, manifest_bytes
from core.registry import Part

TASK = "volume_pretraining"


class PretrainedManifest(Part):
    """The contents of the model.yaml of a pretrained network. loss: on the scans it was validated on."""

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    version: str = Field(pattern=r"^\d{1,4}(\.\d{1,4}){0,2}$")
    title: str = Field(min_length=1, max_length=200)
    task: Literal["volume_pretraining"] = "volume_pretraining"
    network: dict[str, Any]
    plan: Plan
    objective: str = Field(max_length=100)
    loss: float | None = Field(None, ge=0)
    training: Training
    intended_use: str = Field("", max_length=4000)
    forbidden_use: str = Field("", max_length=4000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("network")
    @classmethod
    def _known_network(cls, network: dict[str, Any]) -> dict[str, Any]:
        try:
            network_of(network)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return network


@dataclass(frozen=True)
class PretrainedPackage(FolderPackage):
    """A package on disk with its manifest read and checked."""

    folder: Path
    manifest: PretrainedManifest
    bundled: bool = False

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


def read_pretrained(folder: Path, *, bundled: bool = False) -> PretrainedPackage:
    """Read the package in `folder`. Raises ModelError where it is no pretrained network."""
    data, path = manifest_bytes(folder), folder / MANIFEST
    if task_in(data) != TASK:
        raise ModelError("this is no pretrained network", where=path)
    return PretrainedPackage(folder, parse_as(PretrainedManifest, data, path), bundled)
