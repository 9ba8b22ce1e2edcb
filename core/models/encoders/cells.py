"""An encoder of stays whose tokens are single measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from core.models.encoders.transformer import TransformerEncoderConfig
from core.registry import register

if TYPE_CHECKING:
    from core.models.nets.stays import StayEncoder


@register("encoder")
class CellsEncoderConfig(TransformerEncoderConfig):
    """Attention among the variables of a step and among the steps of a variable in turns, then over the steps.

    As DuETT (Labach et al., arXiv 2304.13017). On a CPU about twelve times the time of the transformer: for a GPU.
    """

    name: Literal["cells"] = "cells"  # type: ignore[assignment]
    layers: int = Field(1, ge=1, le=48, title="Layers", description="Over whole steps, after those over cells.")
    cell: int = Field(24, ge=4, le=512, title="Cell width", description="Numbers that describe each measurement.")
    cell_layers: int = Field(2, ge=1, le=24, title="Cell layers")
    cell_heads: int = Field(2, ge=1, le=16, title="Cell heads", description="Of attention; they share the cell width.")

    @model_validator(mode="after")
    def _heads_share_the_cell(self) -> CellsEncoderConfig:
        if self.cell % self.cell_heads:
            raise ValueError(f"cell {self.cell} should be a multiple of its {self.cell_heads} heads")
        return self

    def build(self, variables: int, static_width: int) -> StayEncoder:
        from core.models.nets.stays import Cells, StayEncoder

        cells = Cells(variables, self.cell, self.cell_layers, self.cell_heads, self.d_model, self.dropout)
        return StayEncoder(variables, static_width, self.d_model, self.body(), self.dropout, cells)
