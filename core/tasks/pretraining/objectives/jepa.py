"""Joint-embedding prediction of stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from core.registry import Part, register

if TYPE_CHECKING:
    from core.models.nets.stays import StayEncoder


@register("objective")
class JepaConfig(Part):
    """Predict how a slowly following copy of the encoder describes hidden steps (Assran et al., arXiv 2301.08243).

    Nothing is reconstructed, so nothing is spent on noise. The copy, the predictor, and a penalty on representations
    without variance or with columns that say the same (VICReg) keep it from the empty answer.
    """

    name: Literal["jepa"] = "jepa"
    mask_ratio: float = Field(0.3, gt=0, lt=1, title="Mask ratio", description="Part of the grid that is hidden.")
    momentum: float = Field(
        0.996, ge=0, lt=1, title="Momentum", description="Of the copy at the beginning; it rises to 1 at the end."
    )
    predictor: int = Field(128, ge=2, le=8192, title="Predictor width")
    variance: float = Field(1.0, ge=0, le=100, title="Variance", description="Weight of the guard against collapse.")
    covariance: float = Field(0.04, ge=0, le=100, title="Covariance", description="Weight of the guard on columns.")

    def build(self, encoder: StayEncoder, variables: int) -> Any:
        """The module that is trained."""
        import copy
        import math

        import torch
        from torch import Tensor, nn
        from torch.nn import functional

        from core.data.stays.batches import Draws
        from core.models.nets.stays import StayBatch
        from core.tasks.pretraining.objective import ObjectiveNetwork, guard, hide, mean_where, whole_batch

        config = self

        class Jepa(ObjectiveNetwork):
            def __init__(self) -> None:
                super().__init__(encoder)
                self.target = copy.deepcopy(encoder).requires_grad_(False)
                self.predictor = nn.Sequential(
                    nn.Linear(encoder.width, config.predictor), nn.GELU(), nn.Linear(config.predictor, encoder.width)
                )
                self.projector = nn.Linear(encoder.stay_width, encoder.width)

            def train(self, mode: bool = True) -> Jepa:
                super().train(mode)
                self.target.eval()  # its answers are the truth: no dropout in them
                return self

            def forward(self, stays: StayBatch, draws: Draws) -> dict[str, Tensor]:
                hidden = hide(stays, draws, config.mask_ratio, (0, 0.7, 0.3))
                with torch.no_grad():
                    target = self.target(stays)
                    wanted = functional.layer_norm(target.steps, (encoder.width,))
                seen = self.encoder(stays.with_cells(stays.observed & ~hidden))
                error = functional.smooth_l1_loss(self.predictor(seen.steps), wanted, reduction="none").mean(-1)
                # A step counts where something of it was hidden that had been measured.
                predicted = mean_where(error, (hidden & stays.observed).any(-1))
                variance, covariance = guard(whole_batch(self.projector(seen.stay)))
                loss = predicted + config.variance * variance + config.covariance * covariance
                return {
                    "loss": loss, "prediction_loss": predicted, "variance_loss": variance,
                    "covariance_loss": covariance, "target_std": whole_batch(target.stay).detach().std(dim=0).mean(),
                }  # fmt: skip

            @torch.no_grad()
            def after_step(self, progress: float) -> None:
                momentum = 1 - (1 - config.momentum) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
                mine, theirs = list(self.encoder.parameters()), list(self.target.parameters())
                torch._foreach_lerp_(theirs, mine, 1 - momentum)

        return Jepa()
