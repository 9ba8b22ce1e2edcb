"""nnU-Net v2's U-Net (Isensee 2021; residual encoder: Isensee 2024, arXiv 2404.09556), our implementation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from core.registry import Part, register

Side = Annotated[int, Field(ge=1, le=16)]
Sides = tuple[Side, Side, Side]


@register("model")
class NnunetConfig(Part):
    """nnU-Net's U-Net: each stage has kernels and strides of its own, so it suits thick slices and single ones."""

    name: Literal["nnunet"] = "nnunet"
    features: list[Annotated[int, Field(ge=1, le=2048)]] = Field(
        [16, 32, 64, 128],
        min_length=2,
        max_length=10,
        title="Channels",
        description="Feature maps at each stage, finest first.",
    )
    residual: bool = Field(
        True, title="Residual encoder", description="Blocks with shortcuts in the encoder; off: plain convolutions."
    )
    blocks: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        [1, 2, 2, 2],
        min_length=2,
        max_length=10,
        title="Blocks",
        description="Residual blocks, or plain convolutions, of each encoder stage.",
    )
    decoder_blocks: list[Annotated[int, Field(ge=1, le=16)]] = Field(
        [1, 1, 1],
        min_length=1,
        max_length=9,
        title="Decoder",
        description="Convolutions of each decoder stage, coarsest first: one number fewer than stages.",
    )
    kernels: list[Sides] = Field(
        [(3, 3, 3)] * 4,
        min_length=2,
        max_length=10,
        title="Kernels",
        description="Kernel of each stage in x, y, z; 1 along thick slices.",
    )
    strides: list[Sides] = Field(
        [(1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)],
        min_length=2,
        max_length=10,
        title="Strides",
        description="How many times coarser each stage is than the one before, in x, y, z; the first is 1, 1, 1.",
    )
    bias: bool = Field(True, title="Bias", description="Convolutions add a constant of their own.")

    @model_validator(mode="after")
    def _parts_fit(self) -> NnunetConfig:
        stages = len(self.features)
        wanted = {"kernels": stages, "strides": stages, "blocks": stages, "decoder_blocks": stages - 1}
        for key, count in wanted.items():
            if len(getattr(self, key)) != count:
                raise ValueError(f"{stages} stages need {count} {key.replace('_', ' ')}, not {len(getattr(self, key))}")
        if any(side % 2 == 0 for kernel in self.kernels for side in kernel):
            raise ValueError("the sides of a kernel are odd")
        if self.strides[0] != (1, 1, 1):
            raise ValueError("the first stage has the image's own resolution: its strides are 1, 1, 1")
        return self

    @property
    def divisor(self) -> tuple[int, int, int]:
        """Each side of the input must be a multiple of its own."""
        totals = [1, 1, 1]
        for stride in self.strides:
            totals = [total * step for total, step in zip(totals, stride, strict=True)]
        x, y, z = totals
        return x, y, z

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k)."""
        from core.models.nets.nnunet import StagedUNet

        return StagedUNet(
            in_channels,
            out_channels,
            features=self.features,
            kernels=self.kernels,
            strides=self.strides,
            blocks=self.blocks,
            decoder_blocks=self.decoder_blocks,
            residual=self.residual,
            bias=self.bias,
        )
