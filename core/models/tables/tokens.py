"""The transformer over feature tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from core.registry import Part, register


@register("table_model")
class TokenTransformerConfig(Part):
    """A token for each column, which attend to each other (Gorishniy et al., arXiv 2106.11959)."""

    SEARCHED: ClassVar[Mapping[str, Sequence[Any]]] = {
        "d_model": [32, 64, 128],
        "layers": [1, 2, 3],
        "dropout": [0.0, 0.1, 0.2],
    }
    name: Literal["tokens"] = "tokens"
    d_model: int = Field(64, ge=4, le=1024, title="Width", description="Numbers in a token.")
    heads: int = Field(8, ge=1, le=64, title="Heads")
    layers: int = Field(3, ge=1, le=24, title="Layers")
    dropout: float = Field(0.1, ge=0, lt=1, title="Dropout", description="Part of the units switched off in a step.")

    @model_validator(mode="after")
    def _divides(self) -> TokenTransformerConfig:
        if self.d_model % self.heads:
            raise ValueError(f"d_model {self.d_model} is no multiple of the {self.heads} heads")
        return self

    def build(self, width: int, cardinalities: Sequence[int], outputs: int) -> Any:
        """An nn.Module: numbers (rows, width), codes (rows, columns) -> (rows, 1, outputs)."""
        from core.models.nets.tables import TokenTransformer

        return TokenTransformer(
            width, cardinalities, outputs, d_model=self.d_model, heads=self.heads, layers=self.layers,
            dropout=self.dropout,
        )  # fmt: skip
