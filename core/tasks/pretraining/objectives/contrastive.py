"""Contrastive learning of stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from core.registry import Part, register

if TYPE_CHECKING:
    from core.models.nets.stays import StayEncoder


@register("objective")
class ContrastiveConfig(Part):
    """Two views of a stay are told from those of all others (SimCLR, Chen et al., arXiv 2002.05709).

    The views are what could have been charted of the same patient: another span of the stay, some variables and some
    measurements not taken, small errors of measuring.
    """

    name: Literal["contrastive"] = "contrastive"
    temperature: float = Field(0.2, gt=0, le=10, title="Temperature", description="Low: the nearest others count most.")
    projection: int = Field(128, ge=2, le=8192, title="Projection", description="Width in which views are compared.")
    span: float = Field(0.5, gt=0, le=1, title="Least span", description="Shortest part of the stay in a view.")
    drop_cells: float = Field(0.2, ge=0, lt=1, title="Cells left out")
    drop_variables: float = Field(0.15, ge=0, lt=1, title="Variables left out")
    noise: float = Field(0.1, ge=0, le=5, title="Noise", description="Standard deviation on the scaled values.")

    def build(self, encoder: StayEncoder, variables: int) -> Any:
        """The module that is trained."""
        import torch
        from torch import Tensor, nn
        from torch.nn import functional

        from core.data.stays.batches import Draws
        from core.models.nets.stays import StayBatch
        from core.tasks.pretraining.objective import CELLS, NOISE, SPANS, VARIABLES, ObjectiveNetwork, whole_batch

        config = self

        class Contrastive(ObjectiveNetwork):
            def __init__(self) -> None:
                super().__init__(encoder)
                self.projector = nn.Sequential(
                    nn.LayerNorm(encoder.stay_width), nn.Linear(encoder.stay_width, config.projection), nn.GELU(),
                    nn.Linear(config.projection, config.projection),
                )  # fmt: skip

            def _view(self, stays: StayBatch, draws: Draws, which: int) -> StayBatch:
                device, (steps, width) = stays.values.device, stays.values.shape[1:]
                first = 10 * (which + 1)  # a view's own draws

                def drawn(purpose: int, *shape: int) -> Tensor:
                    return draws.uniform(first + purpose, *shape).to(device)

                length = (~stays.padding).sum(1, keepdim=True)
                ends = drawn(SPANS, 2)
                kept = config.span + (1 - config.span) * ends[:, :1]
                begin = ends[:, 1:] * (1 - kept) * length
                at = torch.arange(steps, device=device)[None]
                within = (at >= begin.floor()) & (at < (begin + kept * length).ceil())
                cells = drawn(CELLS, steps, width) >= config.drop_cells
                cells &= drawn(VARIABLES, 1, width) >= config.drop_variables
                view = stays.with_cells(stays.observed & cells & within[..., None])
                noise = config.noise * draws.normal(first + NOISE, steps, width).to(device)
                return view._replace(values=view.values + noise * view.observed)

            def forward(self, stays: StayBatch, draws: Draws) -> dict[str, Tensor]:
                one, two = (
                    whole_batch(functional.normalize(self.projector(self.encoder(self._view(stays, draws, n)).stay)))
                    for n in (0, 1)
                )
                both = torch.cat([one, two])
                alike = both @ both.T / config.temperature
                alike.fill_diagonal_(float("-inf"))
                partner = torch.arange(len(both), device=both.device).roll(len(one))
                return {
                    "loss": functional.cross_entropy(alike, partner),
                    "retrieval": (alike.argmax(1) == partner).float().mean(),
                    "alignment": (one * two).sum(1).mean(),
                }

        return Contrastive()
