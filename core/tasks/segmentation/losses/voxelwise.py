"""Losses that judge each voxel by itself."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.registry import Part, register


@register("loss")
class CrossEntropyConfig(Part):
    """Cross-entropy of each voxel's class."""

    name: Literal["ce"] = "ce"

    def build(self, weights: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Voxelwise

        return Voxelwise(weights)

    def build_regions(self, inside: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import YesOrNo

        return YesOrNo(inside)


@register("loss")
class FocalConfig(Part):
    """Cross-entropy that counts hard voxels more (Lin 2017, arXiv 1708.02002)."""

    name: Literal["focal"] = "focal"
    gamma: float = Field(
        2.0, ge=0, le=10, title="Focus", description="How much easy voxels are played down; 0 is the cross-entropy."
    )

    def build(self, weights: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import Voxelwise

        return Voxelwise(weights, gamma=self.gamma)

    def build_regions(self, inside: Any, *, ignore: bool) -> Any:
        from core.tasks.segmentation.loss_terms import YesOrNo

        return YesOrNo(inside, gamma=self.gamma)
