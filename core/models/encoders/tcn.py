"""A convolutional encoder of stays."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.models.encoders.base import EncoderConfig
from core.registry import register


@register("encoder")
class TcnEncoderConfig(EncoderConfig):
    """Dilated convolutions along the steps of a stay (Bai et al., arXiv 1803.01271)."""

    name: Literal["tcn"] = "tcn"
    layers: int = Field(4, ge=1, le=12, title="Layers", description="Each looks twice as far as the one before.")
    kernel: int = Field(3, ge=2, le=15, title="Kernel", description="Steps that a layer sees at once.")

    def body(self) -> Any:
        from core.models.nets.stays import ConvolutionBody

        return ConvolutionBody(self.d_model, self.layers, self.kernel, self.dropout)
