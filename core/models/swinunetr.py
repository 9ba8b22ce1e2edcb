"""Swin UNETR (Hatamizadeh 2022, arXiv 2201.01266; its second version, Tang 2022), MONAI's implementation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.models.slicing import Slices, dimensions, divisor, setting, taking_volumes
from core.registry import Part, register


@register("model")
class SwinUNETRConfig(Part):
    """A transformer with shifted windows as encoder, convolutions as decoder. Slow without a GPU."""

    name: Literal["swinunetr"] = "swinunetr"
    width: Literal[12, 24, 36, 48, 60] = Field(
        24, title="Width", description="Features of the first stage; each later one has twice as many."
    )
    depths: tuple[int, int, int, int] = Field(
        (2, 2, 2, 2), title="Blocks", description="Transformer blocks of the four stages."
    )
    heads: tuple[int, int, int, int] = Field(
        (3, 6, 12, 24),
        title="Heads",
        description="Attention heads of the four stages; each must divide its stage's features.",
    )
    window: int = Field(7, ge=2, le=16, title="Window", description="Side of an attention window, in tokens.")
    convolutions: bool = Field(
        False, title="Version 2", description="A residual convolution before each stage (Swin UNETR V2)."
    )
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of the features dropped in training.")
    drop_path: float = Field(
        0.0, ge=0, lt=1, title="Drop path", description="Chance that the deepest block is left out in training."
    )
    checkpointing: bool = Field(
        False, title="Save memory", description="Compute parts of the forward pass twice instead of keeping them."
    )
    slices: Slices = setting()

    @model_validator(mode="after")
    def _heads_divide(self) -> SwinUNETRConfig:
        for stage, heads in enumerate(self.heads):
            if heads < 1 or self.width * 2**stage % heads:
                raise ValueError(f"{heads} heads do not divide the {self.width * 2**stage} features of their stage")
        if not all(1 <= depth <= 32 for depth in self.depths):
            raise ValueError("a stage has 1 to 32 blocks")
        return self

    @property
    def divisor(self) -> int | tuple[int, int, int]:
        """Every side of the input must be a multiple of this, or each of its own."""
        return divisor(32, self.slices)

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k)."""
        from monai.networks.nets.swin_unetr import SwinUNETR

        from core.models.nets.rates import rates_on_cpu

        with rates_on_cpu():
            network = SwinUNETR(
                spatial_dims=dimensions(self.slices),
                in_channels=in_channels,
                out_channels=out_channels,
                depths=self.depths,
                num_heads=self.heads,
                window_size=self.window,
                feature_size=self.width,
                drop_rate=self.dropout,
                attn_drop_rate=self.dropout,
                dropout_path_rate=self.drop_path,
                use_checkpoint=self.checkpointing,
                use_v2=self.convolutions,
            )
        return taking_volumes(network, self.slices)
