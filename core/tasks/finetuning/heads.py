"""Heads: what turns the vector of a stay into the answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.registry import Part, register


@register("head")
class LinearHeadConfig(Part):
    """One linear layer on the normalised vector of the stay."""

    name: Literal["linear"] = "linear"
    dropout: float = Field(0.3, ge=0, lt=1, title="Dropout")

    def build(self, width: int, outputs: int) -> Any:
        from torch import nn

        return nn.Sequential(nn.LayerNorm(width), nn.Dropout(self.dropout), nn.Linear(width, outputs))


@register("head")
class MlpHeadConfig(Part):
    """A small network on the normalised vector of the stay."""

    name: Literal["mlp"] = "mlp"
    hidden: list[int] = Field([128], min_length=1, max_length=20, title="Hidden", description="Widths of its layers.")
    dropout: float = Field(0.3, ge=0, lt=1, title="Dropout")

    def build(self, width: int, outputs: int) -> Any:
        from torch import nn

        layers: list[nn.Module] = [nn.LayerNorm(width)]
        for wide in self.hidden:
            layers += [nn.Dropout(self.dropout), nn.Linear(width, wide), nn.GELU()]
            width = wide
        return nn.Sequential(*layers, nn.Dropout(self.dropout), nn.Linear(width, outputs))
