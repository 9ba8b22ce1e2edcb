"""SegResNet (Myronenko 2018, arXiv 1810.11654), MONAI's implementation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.models.slicing import Slices, dimensions, divisor, setting, taking_volumes
from core.registry import Part, register


@register("model")
class SegResNetConfig(Part):
    """A deep residual encoder with a light decoder; group normalisation makes it steady with batches of one."""

    name: Literal["segresnet"] = "segresnet"
    width: Literal[8, 16, 24, 32, 48, 64] = Field(
        16, title="Width", description="Feature maps at the finest resolution; each coarser one has twice as many."
    )
    blocks: list[int] = Field(
        [1, 2, 2, 4],
        min_length=2,
        max_length=6,
        title="Blocks",
        description="Residual blocks of the encoder at each resolution, finest first.",
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, title="Dropout", description="Share of the feature maps dropped in training."
    )
    slices: Slices = setting()

    @property
    def divisor(self) -> int | tuple[int, int, int]:
        """Every side of the input must be a multiple of this, or each of its own."""
        return divisor(int(2 ** (len(self.blocks) - 1)), self.slices)

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k)."""
        from monai.networks.nets.segresnet import SegResNet

        network = SegResNet(
            spatial_dims=dimensions(self.slices),
            init_filters=self.width,
            in_channels=in_channels,
            out_channels=out_channels,
            dropout_prob=self.dropout or None,
            blocks_down=tuple(self.blocks),
            blocks_up=(1,) * (len(self.blocks) - 1),
        )
        return taking_volumes(network, self.slices)
