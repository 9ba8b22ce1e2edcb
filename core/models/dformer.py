"""D-Former (Wu et al. 2023, arXiv 2201.00462): a U-shaped transformer with dilated attention; our implementation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.registry import Part, register


@register("model")
class DFormerConfig(Part):
    """Transformer blocks that look near and far in turn. The paper's size is width 96, blocks 2, 2, 6, 2."""

    name: Literal["dformer"] = "dformer"
    width: int = Field(
        48, ge=8, le=384, title="Width", description="Features of the first stage; each later one has twice as many."
    )
    depths: list[int] = Field(
        [2, 2, 2, 2],
        min_length=2,
        max_length=5,
        title="Blocks",
        description="Transformer blocks of each stage, near and far in turn, so even numbers.",
    )
    heads: list[int] = Field(
        [3, 6, 12, 24],
        min_length=2,
        max_length=5,
        title="Heads",
        description="Attention heads of each stage; each must divide its stage's features.",
    )
    patch: tuple[int, int, int] = Field(
        (4, 4, 2), title="Token (voxels)", description="Voxels in x, y, z that become one token; small ones see detail."
    )
    group: tuple[int, int, int] = Field(
        (8, 8, 2), title="Group (tokens)", description="Tokens in x, y, z that attend to each other."
    )
    mlp_ratio: float = Field(4.0, gt=0, le=16, title="MLP ratio", description="Size of a block's MLP, in its features.")
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of the features dropped in training.")
    checkpointing: bool = Field(
        False, title="Save memory", description="Compute parts of the forward pass twice instead of keeping them."
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> DFormerConfig:
        if len(self.depths) != len(self.heads):
            raise ValueError(f"{len(self.depths)} numbers of blocks but {len(self.heads)} of heads")
        if min(self.depths) < 1 or max(self.depths) > 32:
            raise ValueError("a stage has 1 to 32 blocks")
        for stage, heads in enumerate(self.heads):
            if heads < 1 or self.width * 2**stage % heads:
                raise ValueError(f"{heads} heads do not divide the {self.width * 2**stage} features of their stage")
        if min(self.patch) < 1 or max(self.patch) > 16:
            raise ValueError("a token is 1 to 16 voxels a side")
        if min(self.group) < 1 or max(self.group) > 16:
            raise ValueError("a group is 1 to 16 tokens a side")
        return self

    @property
    def divisor(self) -> int:
        """Sides that are multiples of this need no padding; the network takes any."""
        return max(self.patch)

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k)."""
        from core.models.nets.dformer import DFormer

        return DFormer(
            in_channels,
            out_channels,
            width=self.width,
            depths=self.depths,
            heads=self.heads,
            patch=self.patch,
            group=self.group,
            mlp=self.mlp_ratio,
            dropout=self.dropout,
            checkpointing=self.checkpointing,
        )
