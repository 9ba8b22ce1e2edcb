"""Segmentation: give every voxel one of the data set's labels."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.data.plan import Plan
from core.registry import Part, register


@register("task")
class SegmentationConfig(Part):
    """Give every voxel one of the data set's labels."""

    name: Literal["segmentation"] = "segmentation"
    loss: Literal["dice_ce", "dice", "ce"] = Field(
        "dice_ce", title="Loss", description="Dice, cross-entropy, or the sum of both."
    )
    class_weights: list[float] | None = Field(
        None,
        title="Class weights",
        description="Weight of each class in the cross-entropy, background first; empty: equal.",
    )
    target_label: int | None = Field(
        None,
        ge=1,
        title="Only this label",
        description="Train this label value against all the rest; empty: all labels.",
    )

    monitor: str = Field(
        "val/dice", title="Best by", description="The metric whose highest value makes the best checkpoint."
    )

    def build(self, experiment: Any, plan: Plan) -> Any:
        """The LightningModule that learns this task."""
        from core.tasks.segmentation.module import SegmentationModule

        return SegmentationModule(experiment, plan)
