"""What a training stay is drawn as: cut short at a random step, and of more or less weight for each member."""

from __future__ import annotations

import torch
from torch import Tensor

from core.data.stays.batches import Draws
from core.models.nets.stays import StayBatch

CUT = 1  # the purpose of the draws; 0 is what is hidden


def shortened(stays: StayBatch, draws: Draws, share: float) -> StayBatch:
    """Stays of which about `share` end at a random step, as they were known by then; no step is likelier."""
    if not share:
        return stays
    place, chosen = draws.uniform(CUT, 2).to(stays.values.device).unbind(1)
    lengths = (~stays.padding).sum(1)
    return stays.ended(torch.where(chosen < share, (place * lengths).long() + 1, lengths))


def weights_of_members(members: int, count: int, seed: int) -> Tensor:
    """(members, count): the Bayesian bootstrap (Rubin, Annals of Statistics 1981).

    Each member learns as if other patients had been met, so that their answers differ by as much as is not known.
    """
    generator = torch.Generator().manual_seed(seed + 0x5EED)
    return torch.empty(members, count).exponential_(generator=generator)
