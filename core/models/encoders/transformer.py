"""A transformer over the steps of a stay."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from core.models.encoders.base import EncoderConfig
from core.registry import register


@register("encoder")
class TransformerEncoderConfig(EncoderConfig):
    """Self-attention over the steps of a stay (Vaswani et al., arXiv 1706.03762)."""

    name: Literal["transformer"] = "transformer"
    layers: int = Field(2, ge=1, le=48, title="Layers")
    heads: int = Field(4, ge=1, le=64, title="Heads", description="Of attention; they share the width.")
    feedforward: int = Field(256, ge=4, le=16_384, title="Feed-forward width")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> TransformerEncoderConfig:
        if self.d_model % self.heads:
            raise ValueError(f"d_model {self.d_model} should be a multiple of its {self.heads} heads")
        return self

    def body(self) -> Any:
        from core.models.nets.stays import TransformerBody

        return TransformerBody(self.d_model, self.heads, self.layers, self.feedforward, self.dropout)
