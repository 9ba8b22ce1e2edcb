"""The Swin encoder of the risk network with a decoder of convolutions, so that it segments, or is pretrained, too."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.registry import Part, register


@register("model")
class SwinUNetConfig(Part):
    """A Swin encoder that the Alzheimer's network shares, with a decoder of convolutions."""

    name: Literal["swin_unet"] = "swin_unet"
    width: int = Field(
        24, ge=4, le=192, title="Width", description="Features of the first stage; each later one has twice as many."
    )
    depths: list[int] = Field(
        [2, 2, 2, 2], min_length=2, max_length=5, title="Blocks", description="Transformer blocks of each stage."
    )
    heads: list[int] = Field(
        [3, 6, 12, 24],
        min_length=2,
        max_length=5,
        title="Heads",
        description="Attention heads of each stage; they must divide its features.",
    )
    window: int = Field(7, ge=2, le=16, title="Window", description="Side of an attention window, in tokens.")
    fine: int = Field(16, ge=4, le=128, title="Fine", description="Features of the decoder at the scan's resolution.")
    drop_path: float = Field(
        0.0, ge=0, lt=1, title="Drop path", description="Chance that the deepest block is left out in training."
    )
    checkpointing: bool = Field(
        False, title="Save memory", description="Compute parts of the forward pass twice instead of keeping them."
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> SwinUNetConfig:
        if len(self.heads) != len(self.depths):
            raise ValueError("as many heads as blocks are needed, one of each for a stage")
        if not all(1 <= depth <= 32 for depth in self.depths):
            raise ValueError("a stage has 1 to 32 blocks")
        for stage, heads in enumerate(self.heads):
            if heads < 1 or self.width * 2**stage % heads:
                raise ValueError(f"{heads} heads do not divide the {self.width * 2**stage} features of their stage")
        return self

    @property
    def divisor(self) -> int:
        """Sides that are multiples of this need no padding; the network takes any."""
        return 4

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k)."""
        from core.models.nets.swin import PATCH
        from core.models.nets.swin_unet import SwinUNet

        return SwinUNet(in_channels, out_channels, patch=PATCH, **self.model_dump(exclude={"name"}))
