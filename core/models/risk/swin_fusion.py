"""A Swin encoder for each image, cross-attention between them, a clinical encoder, fusion and regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from core.registry import Part, register


@register("risk_model")
class SwinFusionConfig(Part):
    """Swin transformers on MRI and PET that ask each other, joined by clinical values."""

    name: Literal["swin_fusion"] = "swin_fusion"
    width: int = Field(
        96, ge=4, le=192, title="Width", description="Features of the first stage; each later one has twice as many."
    )
    depths: list[int] = Field(
        [2, 2, 2, 2], min_length=1, max_length=5, title="Blocks", description="Transformer blocks of each stage."
    )
    heads: list[int] = Field(
        [3, 6, 12, 24],
        min_length=1,
        max_length=5,
        title="Heads",
        description="Attention heads of each stage; they must divide its features.",
    )
    window: int = Field(7, ge=2, le=16, title="Window", description="Side of an attention window, in tokens.")
    readout: int = Field(
        32, ge=1, le=1024, title="Readout", description="Features that each place of the last stage hands on."
    )
    direct: int = Field(
        2,
        ge=0,
        le=64,
        title="Direct reading",
        description="Features of each patch that go straight to the fusion, so that few subjects are enough; 0: none.",
    )
    clinical: int = Field(128, ge=4, le=2048, title="Clinical", description="Features of the clinical encoder.")
    fusion: int = Field(256, ge=4, le=4096, title="Fusion", description="Features in which all parts come together.")
    cross_blocks: int = Field(1, ge=0, le=12, title="Cross blocks", description="Times the images ask each other.")
    cross_heads: int = Field(
        8, ge=1, le=64, title="Cross heads", description="Their heads; they must divide the last stage's features."
    )
    dropout: float = Field(
        0.1, ge=0, lt=1, title="Dropout", description="After the encoders; the uncertainty is drawn from it."
    )
    members: int = Field(
        1, ge=1, le=20, title="Members", description="Networks that are trained side by side, whose mean is the score."
    )
    drop_path: float = Field(
        0.0, ge=0, lt=1, title="Drop path", description="Chance that the deepest block is left out in training."
    )
    checkpointing: bool = Field(
        False, title="Save memory", description="Compute parts of the forward pass twice instead of keeping them."
    )

    @property
    def stages(self) -> list[int]:
        """Features of each stage."""
        return [self.width * 2**stage for stage in range(len(self.depths))]

    @model_validator(mode="after")
    def _fits_together(self) -> SwinFusionConfig:
        if len(self.heads) != len(self.depths):
            raise ValueError("as many heads as blocks are needed, one of each for a stage")
        if not all(1 <= depth <= 32 for depth in self.depths):
            raise ValueError("a stage has 1 to 32 blocks")
        for width, heads in zip(self.stages, self.heads, strict=True):
            if heads < 1 or width % heads:
                raise ValueError(f"{heads} heads do not divide the {width} features of their stage")
        if self.stages[-1] % self.cross_heads:
            raise ValueError(f"{self.cross_heads} cross heads do not divide the {self.stages[-1]} last features")
        return self

    def build(self, shape: Sequence[int], features: int) -> Any:
        """The network for volumes of (x, y, z) voxels and so many clinical values (`core.models.nets.risk`)."""
        from core.models.nets.risk import RiskEnsemble, RiskNetwork

        settings = self.model_dump(exclude={"name", "members"})

        def one() -> RiskNetwork:
            return RiskNetwork(shape=shape, features=features, **settings)

        return one() if self.members == 1 else RiskEnsemble(self.members, one)
