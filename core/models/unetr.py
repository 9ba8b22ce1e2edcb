"""UNETR (Hatamizadeh 2022, arXiv 2103.10504), MONAI's implementation, for inputs of any size."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.models.slicing import Slices, dimensions, divisor, in_plane, setting, taking_volumes
from core.registry import Part, register


@register("model")
class UNETRConfig(Part):
    """A plain vision transformer of 12 blocks as encoder, convolutions as decoder. Wants many training cases."""

    name: Literal["unetr"] = "unetr"
    hidden: int = Field(192, ge=16, le=2048, title="Hidden size", description="Features of a token.")
    mlp: int = Field(768, ge=16, le=8192, title="MLP size", description="Features inside each block's MLP.")
    heads: int = Field(6, ge=1, le=64, title="Heads", description="Attention heads; they must divide the hidden size.")
    width: int = Field(
        16, ge=4, le=128, title="Width", description="Feature maps of the decoder at the finest resolution."
    )
    grid: tuple[int, int, int] = Field(
        (4, 4, 4),
        title="Position grid",
        description="Learned positions in x, y, z, one for 16 voxels of the usual patch; other sizes interpolate them.",
    )
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of the features dropped in training.")
    checkpointing: bool = Field(
        False, title="Save memory", description="Compute parts of the forward pass twice instead of keeping them."
    )
    slices: Slices = setting()

    @model_validator(mode="after")
    def _heads_divide(self) -> UNETRConfig:
        if self.hidden % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a hidden size of {self.hidden}")
        if not all(1 <= n <= 32 for n in self.grid):
            raise ValueError("a position grid has 1 to 32 positions a side")
        return self

    @property
    def divisor(self) -> int | tuple[int, int, int]:
        """Every side of the input must be a multiple of this, or each of its own."""
        return divisor(16, self.slices)

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k)."""
        from core.models.nets.unetr import AnySizeUNETR

        network = AnySizeUNETR(
            spatial_dims=dimensions(self.slices),
            in_channels=in_channels,
            out_channels=out_channels,
            img_size=tuple(16 * n for n in in_plane(self.grid, self.slices)),
            feature_size=self.width,
            hidden_size=self.hidden,
            mlp_dim=self.mlp,
            num_heads=self.heads,
            dropout_rate=self.dropout,
            checkpointing=self.checkpointing,
        )
        return taking_volumes(network, self.slices)
