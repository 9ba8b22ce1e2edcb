"""Pretraining on scans without labels: a segmentation network learns to put back what was hidden of them.

A segmentation begins with the result by `task.start_from` (see core.inference.start).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from core import registry
from core.config import AugmentConfig, DataConfig, PatchSize, PlannedTrainerConfig, Spacing
from core.control import JobControl
from core.inference.model_kind import ModelKind
from core.registry import Part, register
from core.tasks.base import CheckedData, Task
from core.training.given import Preparation, Session

if TYPE_CHECKING:
    from core.catalog import RunRow
    from core.training.planning import Proposal


def _as_in_segmentation(key: str) -> Any:
    return DataConfig.model_fields[key]


class ScansConfig(Part):
    """Which scans are learned from and how they are prepared."""

    path: Path | None = Field(
        None, title="Folder", description="Scans in a folder and below it; of a data set with labels, its images."
    )
    val_fraction: float = Field(
        0.1, ge=0, lt=1, title="Validation share", description="Part of the scans kept to watch the training by."
    )
    test_fraction: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Test share",
        description="Part of the scans left out. A segmentation of the same folder with the same share and seed "
        "keeps the same ones for its test.",
    )
    spacing_mm: Spacing | None = _as_in_segmentation("spacing_mm")
    patch_size: PatchSize | None = _as_in_segmentation("patch_size")
    intensities: Literal["scan", "ct"] | None = _as_in_segmentation("intensities")
    augment: AugmentConfig = Field(AugmentConfig(), title="Augmentation")
    foreground: ClassVar[float] = 0.0  # without labels, patches lie anywhere


@register("task")
class VolumePretrainingConfig(Task):
    """Learn from scans without labels, so that a segmentation needs fewer of them."""

    data_kind: ClassVar[Literal["scans"]] = "scans"
    title: ClassVar[str] = "Scans: pretraining"
    inspected: ClassVar[tuple[str, ...]] = ("data.path",)
    name: Literal["volume_pretraining"] = "volume_pretraining"
    monitor: str = Field("val/loss", title="Best by", description="The metric that makes the best checkpoint.")

    @classmethod
    def blocks(cls) -> dict[str, Any]:
        return {
            "data": (ScansConfig, Field(ScansConfig(), title="Data")),
            "model": registry.block("model", "unet", "Network"),
            "ssl": registry.block("volume_ssl", "masked", "Objective"),
            "optimizer": registry.block("optimizer", "adamw", "Optimizer"),
            "scheduler": registry.block("scheduler", "warmup_cosine", "Schedule"),
            "trainer": (PlannedTrainerConfig, Field(PlannedTrainerConfig(), title="Training")),
        }

    def inspect(self, experiment: Any, control: JobControl) -> CheckedData:
        from core.tasks.volume_pretraining.preparing import checked

        return checked(experiment, control)

    def prepare(self, experiment: Any, control: JobControl) -> Preparation:
        from core.tasks.volume_pretraining.preparing import prepare

        return prepare(experiment, control)

    def propose(self, experiment: Any, data: Any) -> Proposal:
        from core.tasks.volume_pretraining.preparing import planned

        return planned(experiment, data)[0]

    def session(self, experiment: Any, run: RunRow, control: JobControl) -> Session:
        from core.tasks.volume_pretraining.session import session

        return session(experiment, run, control)

    @classmethod
    def kind_of_model(cls) -> ModelKind:
        from core.tasks.volume_pretraining.kind import PretrainedModels

        return PretrainedModels()
