"""Packages of models for tables: as those for scans (core.inference.package), with a coding in place of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from core import registry
from core.errors import ConfigError
from core.inference.package import WEIGHTS, FolderPackage, checked_weights
from core.registry import Part
from core.tasks.tabular.explaining import Background
from core.tasks.tabular.preparing import TablePlan


class TableTraining(Part):
    """What the model was trained on and how well it did. figures: over rows that were not trained on."""

    data: str = Field(max_length=400)
    cases: dict[Literal["train", "val", "test"], int]
    measured_on: Literal["val", "test"]
    protocol: str = Field("", max_length=4000)
    figures: dict[str, float]
    run: str = Field("", max_length=200)


class TableManifest(Part):
    """The contents of a model.yaml for tables.

    temperature: of its probabilities, and threshold: of the second of two classes, both fitted to the validation rows.
    background: what its training rows were like, column by column, for explanations.
    """

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    version: str = Field(pattern=r"^\d{1,4}(\.\d{1,4}){0,2}$")
    title: str = Field(min_length=1, max_length=200)
    task: Literal["tabular"] = "tabular"
    network: dict[str, Any]
    plan: TablePlan
    temperature: float = Field(1.0, gt=0, le=100)
    threshold: float = Field(0.5, ge=-0.1, le=1)
    background: Background | None = None
    training: TableTraining
    intended_use: str = Field("", max_length=4000)
    forbidden_use: str = Field("", max_length=4000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("network")
    @classmethod
    def _known_network(cls, network: dict[str, Any]) -> dict[str, Any]:
        try:
            _network(network)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return network


@dataclass(frozen=True)
class TablePackage(FolderPackage):
    """The package of a model for tables."""

    described_by = TableManifest
    of = "tables"

    manifest: TableManifest

    @property
    def summary(self) -> str:
        """One line, such as "predicts death · AUROC 0.85 on unseen rows"."""
        figures = self.manifest.training.figures
        name = next((n for n in ("auroc", "r2") if n in figures), None)
        measured = "accuracy not measured" if name is None else f"{name.upper()} {figures[name]:.3f} on unseen rows"
        return f"predicts {self.manifest.plan.outcome.column} · {measured}"

    def as_dict(self) -> dict[str, Any]:
        """The manifest and the place, as plain values, without what explanations start from."""
        return {key: value for key, value in super().as_dict().items() if key != "background"}

    def load(self) -> Any:
        """The network with its weights. Raises ModelError where they are damaged or do not fit."""
        from core.inference.network import fill

        path, coding = self.folder / WEIGHTS, self.manifest.plan.coding
        config = _network(self.manifest.network)
        return fill(
            lambda: config.build(coding.width, coding.cardinalities, self.manifest.plan.outcome.outputs),
            lambda: checked_weights(path, self.manifest.sha256),
            path,
        )


def _network(tree: dict[str, Any]) -> Any:
    return registry.part("table_model", str(tree.get("name"))).model_validate(tree)
