"""Masked autoencoding of stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from core.registry import Part, register

if TYPE_CHECKING:
    from core.models.nets.stays import StayEncoder


@register("objective")
class MaskedAutoencoderConfig(Part):
    """Hide some of the grid and learn what was measured there, and whether anything was.

    As DuETT (Labach et al., 2023), which hides values and the fact of measuring: what is measured when tells of a
    patient too.
    """

    name: Literal["mae"] = "mae"
    mask_ratio: float = Field(0.15, gt=0, lt=1, title="Mask ratio", description="Part of the grid that is hidden.")
    cells: float = Field(0.5, ge=0, le=1, title="Single cells", description="Share of the hidden that is single cells.")
    steps: float = Field(0.25, ge=0, le=1, title="Whole steps", description="Share that is all variables of a step.")
    variables: float = Field(
        0.25, ge=0, le=1, title="Whole variables", description="Share that is all steps of a variable."
    )
    presence: float = Field(
        0.5, ge=0, le=10, title="Presence", description="Weight of guessing whether anything was measured."
    )

    def build(self, encoder: StayEncoder, variables: int) -> Any:
        """The module that is trained. Raises nothing."""
        from torch import Tensor, nn
        from torch.nn import functional

        from core.data.stays.batches import Draws
        from core.models.nets.stays import StayBatch
        from core.tasks.pretraining.objective import ObjectiveNetwork, hide, mean_where

        config = self

        class MaskedAutoencoder(ObjectiveNetwork):
            def __init__(self) -> None:
                super().__init__(encoder)
                self.decoder = nn.Linear(encoder.width, 2 * variables)

            def _filled(self, stays: StayBatch, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
                hidden = hide(stays, draws, config.mask_ratio, (config.cells, config.steps, config.variables))
                decoded = self.decoder(self.encoder(stays.with_cells(stays.observed & ~hidden)).steps)
                return hidden, decoded[..., :variables], decoded[..., variables:]

            def forward(self, stays: StayBatch, draws: Draws) -> dict[str, Tensor]:
                hidden, values, presence = self._filled(stays, draws)
                error = functional.smooth_l1_loss(values, stays.values, reduction="none")
                value = mean_where(error, hidden & stays.observed)
                there = stays.observed.to(presence.dtype)
                seen = mean_where(
                    functional.binary_cross_entropy_with_logits(presence, there, reduction="none"), hidden
                )
                return {"loss": value + config.presence * seen, "value_loss": value, "presence_loss": seen}

            def reconstruct(self, stays: StayBatch, draws: Draws) -> tuple[Tensor, Tensor]:
                hidden, values, _ = self._filled(stays, draws)
                return hidden, values

        return MaskedAutoencoder()
