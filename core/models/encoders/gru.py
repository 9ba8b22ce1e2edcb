"""A recurrent encoder of stays."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.models.encoders.base import EncoderConfig
from core.registry import register


@register("encoder")
class GruEncoderConfig(EncoderConfig):
    """Gated recurrent units along the steps of a stay (Cho et al., arXiv 1406.1078)."""

    name: Literal["gru"] = "gru"
    layers: int = Field(2, ge=1, le=16, title="Layers")
    both_ways: bool = Field(False, title="Both ways", description="Read each stay backwards too.")

    def body(self) -> Any:
        from core.models.nets.stays import RecurrentBody

        return RecurrentBody(self.d_model, self.layers, self.both_ways, self.dropout)
