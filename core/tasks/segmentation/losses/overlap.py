"""Losses of the overlap of a structure with its prediction, and its sum with the cross-entropy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.registry import Part, register


@register("loss")
class DiceConfig(Part):
    """1 - Dice of the probabilities, summed over the batch, without background (Milletari 2016)."""

    name: Literal["dice"] = "dice"

    def build(self, weights: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Overlap

        return Overlap(weights, ignore=ignore)

    def build_regions(self, inside: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Overlap

        return Overlap(None, ignore=ignore, inside=inside)


@register("loss")
class TverskyConfig(Part):
    """Dice with a price for each kind of error (Salehi 2017, arXiv 1706.05721); 0.5 and 0.5 is Dice."""

    name: Literal["tversky"] = "tversky"
    false_alarm: float = Field(
        0.3, ge=0, le=10, title="False alarm", description="Price of a voxel that is marked but should not be."
    )
    miss: float = Field(
        0.7, ge=0, le=10, title="Miss", description="Price of a voxel that is not marked but should be."
    )

    def build(self, weights: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Overlap

        return Overlap(weights, ignore=ignore, false_alarm=self.false_alarm, miss=self.miss)

    def build_regions(self, inside: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Overlap

        return Overlap(None, ignore=ignore, false_alarm=self.false_alarm, miss=self.miss, inside=inside)


@register("loss")
class DiceCEConfig(Part):
    """Dice plus cross-entropy, as nnU-Net trains."""

    name: Literal["dice_ce"] = "dice_ce"
    dice_weight: float = Field(1.0, ge=0, le=100, title="Dice weight", description="Weight of Dice in the sum.")
    ce_weight: float = Field(
        1.0, ge=0, le=100, title="Cross-entropy weight", description="Weight of the cross-entropy in the sum."
    )

    @model_validator(mode="after")
    def _some_weight(self) -> DiceCEConfig:
        if not self.dice_weight + self.ce_weight:
            raise ValueError("one of the two weights must be above 0")
        return self

    def build(self, weights: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Overlap, Sum, Voxelwise

        return Sum([Overlap(weights, ignore=ignore), Voxelwise(weights)], [self.dice_weight, self.ce_weight])

    def build_regions(self, inside: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Overlap, Sum, YesOrNo

        return Sum([Overlap(None, ignore=ignore, inside=inside), YesOrNo(inside)], [self.dice_weight, self.ce_weight])
