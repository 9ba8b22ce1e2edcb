"""Segmentation: give every voxel one of the data set's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from core import registry
from core.control import JobControl
from core.data.regions import regions
from core.registry import register
from core.tasks.base import CheckedData, Task
from core.tasks.segmentation.losses.overlap import DiceCEConfig
from core.training.given import Folding, Preparation, Session

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.catalog.groups import GroupRow
    from core.training.estimate import Trial
    from core.training.planning import Proposal

    Loss = Any
else:
    Loss = registry.union("loss")


@register("task")
class SegmentationConfig(Task):
    """Give every voxel one of the data set's labels."""

    data_kind: ClassVar[Literal["scans"]] = "scans"
    title: ClassVar[str] = "Segmentation"
    has_folds: ClassVar[bool] = True
    inspected: ClassVar[tuple[str, ...]] = ("data.path",)
    name: Literal["segmentation"] = "segmentation"
    loss: Loss = Field(DiceCEConfig(), title="Loss", description="What training makes small.")
    class_weights: list[float] | None = Field(
        None,
        title="Class weights",
        description="Weight of each class in the loss, background first; empty: equal.",
    )
    balance_classes: bool = Field(
        False,
        title="Balance classes",
        description="Weigh each class by the inverse of its share of the voxels, so that small structures count.",
    )
    target_label: int | None = Field(
        None,
        ge=1,
        title="Only this label",
        description="Train this label value against all the rest; empty: all labels.",
    )
    regions: dict[str, list[int]] | None = Field(
        None,
        max_length=254,
        title="Regions",
        description="Structures that may lie in one another, with their label values, larger ones first; "
        "empty: as the data set says.",
    )
    ignore_label: int | None = Field(
        None,
        ge=1,
        le=65_535,
        title="Ignore label",
        description="Voxels of this label value are left out of the loss and the metrics; empty: none.",
    )
    start_from: str | None = Field(
        None,
        max_length=1000,
        title="Start from",
        description="Weights to begin with, all but the head's: a run, a model, or a .safetensors or .ckpt file; "
        "empty: random ones.",
        json_schema_extra={"of": "runs", "tasks": ["volume_pretraining", "segmentation"]},
    )
    allow_overlap: bool = Field(
        False,
        title="Allow overlap",
        description="Go on although the start was trained on cases of the test part; that is recorded.",
    )

    monitor: str = Field(
        "val/dice", title="Best by", description="The metric whose highest value makes the best checkpoint."
    )

    @field_validator("regions")
    @classmethod
    def _can_be_written(cls, wanted: dict[str, list[int]] | None) -> dict[str, list[int]] | None:
        regions(wanted or {})
        return wanted

    @model_validator(mode="after")
    def _fits_together(self) -> SegmentationConfig:
        if self.balance_classes and self.class_weights is not None:
            raise ValueError("class_weights are given, so balance_classes must be off")
        if self.ignore_label is not None and self.ignore_label == self.target_label:
            raise ValueError("the same label cannot be trained and ignored")
        if self.regions and self.target_label is not None:
            raise ValueError("regions and target_label exclude each other: a single label has no regions")
        if self.class_weights is not None and (min(self.class_weights, default=0) < 0 or not any(self.class_weights)):
            raise ValueError("class_weights must be positive")
        return self

    @classmethod
    def blocks(cls) -> dict[str, Any]:
        from core.config import DataConfig, PlannedTrainerConfig

        return {
            "data": (DataConfig, Field(DataConfig(), title="Data")),
            "model": registry.block("model", "unet", "Network"),
            "optimizer": registry.block("optimizer", "adamw", "Optimizer"),
            "scheduler": registry.block("scheduler", "warmup_cosine", "Schedule"),
            "trainer": (PlannedTrainerConfig, Field(PlannedTrainerConfig(), title="Training")),
        }

    def inspect(self, experiment: Any, control: JobControl) -> CheckedData:
        from core.tasks.segmentation.preparing import checked

        return checked(experiment, control)

    def prepare(self, experiment: Any, control: JobControl) -> Preparation:
        from core.tasks.segmentation.preparing import prepare

        return prepare(experiment, control)

    def propose(self, experiment: Any, data: Any) -> Proposal:
        from core.tasks.segmentation.preparing import planned

        return planned(experiment, data)[0]

    def trial(self, experiment: Any, data: Any) -> Trial:
        from core.tasks.segmentation.trial import trial

        return trial(experiment, data)

    def deal(self, experiment: Any, count: int, control: JobControl) -> Folding:
        from core.tasks.segmentation.folding import deal

        return deal(experiment, count, control)

    def dealt(self, experiment: Any, group: GroupRow, control: JobControl) -> Folding:
        from core.tasks.segmentation.folding import dealt

        return dealt(experiment, group, control)

    def session(self, experiment: Any, run: RunRow, control: JobControl) -> Session:
        from core.tasks.segmentation.session import session

        return session(experiment, run, control)
