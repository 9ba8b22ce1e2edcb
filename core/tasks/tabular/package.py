"""Packages of models for tables: as those for scans (core.inference.package), with a coding in place of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from core import registry
from core.data.tables.encode import TableCoding
from core.inference.manifest import MAX_NETWORKS, ManifestHead
from core.inference.package import WEIGHTS, FolderPackage, checked_weights, weights_file
from core.registry import Part
from core.tasks.tabular.explaining import Background
from core.tasks.tabular.preparing import TablePlan

NETWORK = registry.describes("table_model")


class TableTraining(Part):
    """What the model was trained on and how well it did. figures: over rows that were not trained on.

    measured_on: folds: each row by the network of an ensemble that did not see it, not by all of them together.
    """

    data: str = Field(max_length=400)
    cases: dict[Literal["train", "val", "test"], int]
    measured_on: Literal["val", "test", "folds"]
    protocol: str = Field("", max_length=4000)
    figures: dict[str, float]
    run: str = Field("", max_length=200)


class TableMember(Part):
    """One network of an ensemble, with the coding that was fitted to the rows it was trained on.

    network: its settings, where they are not those of the manifest.
    """

    network: Annotated[dict[str, Any], NETWORK] | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    coding: TableCoding


class TableManifest(ManifestHead):
    """The contents of a model.yaml for tables.

    temperature: of its probabilities, and threshold: of the second of two classes, both fitted to the validation rows.
    members: all networks of an ensemble, the first being that of `sha256`; rows come in the plan's coding.
    background: what its training rows were like, column by column, for explanations.
    """

    task: Literal["tabular"] = "tabular"
    network: Annotated[dict[str, Any], NETWORK]
    plan: TablePlan
    members: list[TableMember] | None = Field(None, min_length=2, max_length=MAX_NETWORKS)
    temperature: float = Field(1.0, gt=0, le=100)
    threshold: float = Field(0.5, ge=-0.1, le=1)
    background: Background | None = None
    training: TableTraining

    @model_validator(mode="after")
    def _members_fit(self) -> TableManifest:
        """The first member is the network of `sha256`, and each column and word of a member is in the plan's coding."""
        known = {column.name for column in self.plan.coding.numbers}
        words = {column.name: set(column.levels) for column in self.plan.coding.words}
        for place, member in enumerate(self.members or ()):
            if place == 0 and member.sha256 != self.sha256:
                raise ValueError("the first member is not the network of sha256")
            strange = [column.name for column in member.coding.numbers if column.name not in known]
            strange += [
                column.name
                for column in member.coding.words
                if not words.get(column.name, set()).issuperset(column.levels)
            ]
            if strange:
                raise ValueError(f"a member reads {strange[0]} otherwise than the plan does")
        return self


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
        count = f" · {len(self.manifest.members)} networks" if self.manifest.members else ""
        return f"predicts {self.manifest.plan.outcome.column} · {measured}{count}"

    @property
    def weights(self) -> Mapping[str, str]:
        """The sha256 of each network's weights, by the file's name."""
        members = self.manifest.members
        if members is None:
            return {WEIGHTS: self.manifest.sha256}
        return {weights_file(place): member.sha256 for place, member in enumerate(members)}

    def as_dict(self) -> dict[str, Any]:
        """The manifest and the place, as plain values, without what explanations start from."""
        return {key: value for key, value in super().as_dict().items() if key != "background"}

    def load(self) -> Any:
        """The network with its weights, or those of an ensemble as one. Raises ModelError where they do not fit."""
        coding, members = self.manifest.plan.coding, self.manifest.members
        if members is None:
            return self._network(self.manifest.network, WEIGHTS, self.manifest.sha256, coding)
        from core.tasks.tabular.members import Members

        networks = [
            self._network(one.network or self.manifest.network, weights_file(place), one.sha256, one.coding)
            for place, one in enumerate(members)
        ]
        return Members(coding, [member.coding for member in members], networks).eval()

    def _network(self, tree: dict[str, Any], name: str, sha256: str, coding: TableCoding) -> Any:
        from core.inference.network import fill

        config, path = registry.made(tree, "table_model"), self.folder / name
        return fill(
            lambda: config.build(coding.width, coding.cardinalities, self.manifest.plan.outcome.outputs),
            lambda: checked_weights(path, sha256),
            path,
        )
