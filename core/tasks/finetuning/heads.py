"""Heads: what turns the description of a stay, learned and plain, into the answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from core.registry import Part, register


class HeadConfig(Part):
    """Base of the heads; a new one gives `build(learned, plain, outputs)`, its first module a `Standardise`."""

    learned: float = Field(
        0.5,
        ge=0,
        le=10,
        title="Learned part",
        description="How much what the encoder learned counts beside the plain statistics of a stay, before training.",
    )


@register("head")
class LinearHeadConfig(HeadConfig):
    """One linear layer on the standardised description of the stay, with weights that change as the stay grows."""

    name: Literal["linear"] = "linear"
    dropout: float = Field(0.3, ge=0, lt=1, title="Dropout")

    def build(self, learned: int, plain: int, outputs: int) -> Any:
        from torch import nn

        from core.models.nets.stays import Standardise, Varying

        last = nn.Linear(3 * (learned + plain) + 1, outputs)
        nn.init.zeros_(last.weight)  # few labels: begin with no opinion, as a penalised regression does
        return nn.Sequential(Standardise(learned, plain, self.learned), nn.Dropout(self.dropout), Varying(), last)


@register("head")
class MlpHeadConfig(HeadConfig):
    """A small network on the standardised description of the stay."""

    name: Literal["mlp"] = "mlp"
    hidden: list[int] = Field([128], min_length=1, max_length=20, title="Hidden", description="Widths of its layers.")
    dropout: float = Field(0.3, ge=0, lt=1, title="Dropout")

    def build(self, learned: int, plain: int, outputs: int) -> Any:
        from torch import nn

        from core.models.nets.stays import Standardise

        layers: list[nn.Module] = [Standardise(learned, plain, self.learned)]
        width = learned + plain + 1
        for wide in self.hidden:
            layers += [nn.Dropout(self.dropout), nn.Linear(width, wide), nn.GELU()]
            width = wide
        return nn.Sequential(*layers, nn.Dropout(self.dropout), nn.Linear(width, outputs))
