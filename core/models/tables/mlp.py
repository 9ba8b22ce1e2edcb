"""The multilayer perceptron for tables, alone or as several in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from core.registry import Part, register

Activation = Literal["relu", "gelu", "selu", "silu", "mish", "tanh", "glu", "geglu", "swiglu", "reglu"]


@register("table_model")
class TableMLPConfig(Part):
    """Fully connected layers, with numbers embedded by learned frequencies (RealMLP, arXiv 2407.04491)."""

    SEARCHED: ClassVar[Mapping[str, Sequence[Any]]] = {
        "hidden": [[64], [128], [256], [128, 128], [256, 256], [256, 256, 256]],
        "dropout": [0.0, 0.1, 0.2, 0.4],
        "embed_numbers": [False, True],
    }
    name: Literal["mlp"] = "mlp"
    hidden: list[Annotated[int, Field(ge=1, le=16_384)]] = Field(
        [256, 256, 256], min_length=1, max_length=16, title="Layers", description="Units of each layer."
    )
    activation: Activation = Field("gelu", title="Activation", description="Those that end in glu are gated.")
    dropout: float = Field(0.15, ge=0, lt=1, title="Dropout", description="Part of the units switched off in a step.")
    embed_numbers: bool = Field(
        False, title="Embed numbers", description="Give each number several learned frequencies; helps on sharp edges."
    )
    members: int = Field(
        1, ge=1, le=64, title="Members", description="Networks in one that share most weights (TabM); 1: a plain one."
    )

    def build(self, width: int, cardinalities: Sequence[int], outputs: int) -> Any:
        """An nn.Module: numbers (rows, width), codes (rows, columns) -> (rows, members, outputs)."""
        from core.models.nets.tables import TableMLP

        return TableMLP(
            width, cardinalities, outputs, hidden=self.hidden, activation=self.activation, dropout=self.dropout,
            embed_numbers=self.embed_numbers, members=self.members,
        )  # fmt: skip
