"""Telling where in the scan a patch lies, besides what was hidden of it.

Scans of one kind show the same anatomy in about the same frame, so a voxel's place can only be told by knowing what it
is part of (as relative positions in Doersch 2015, arXiv 1505.05192, and volume positions in VoCo, Wu 2024, arXiv
2402.17300). Patches should be smaller than the scans: the edge of a scan would tell the place without any anatomy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.registry import register
from core.tasks.volume_pretraining.objectives.masked import MaskedConfig

if TYPE_CHECKING:
    from torch import Tensor


@register("volume_ssl")
class PlacedConfig(MaskedConfig):
    """Tell where in its scan each voxel lies, and what hidden blocks held."""

    name: Literal["placed"] = "placed"  # type: ignore[assignment]
    mask_ratio: float = Field(0.4, gt=0, lt=1, title="Masked", description="Share of the blocks that is hidden.")
    place_weight: float = Field(
        5.0, gt=0, le=1000, title="Weight of places", description="Of the places' error beside that of hidden blocks."
    )

    def outputs(self, channels: int) -> int:
        """What is hidden, and three coordinates."""
        return channels + 3

    def loss(self, told: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The error of what was hidden, and of the places of all voxels that lie in the scan."""
        from core.tasks.volume_pretraining.errors import error_where

        channels = batch["target"].shape[1]
        places = error_where(told[:, channels:], batch["places"][:, :3], batch["places"][:, 3:])
        return super().loss(told[:, :channels], batch) + self.place_weight * places
