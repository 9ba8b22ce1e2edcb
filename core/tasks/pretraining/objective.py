"""What an objective of pretraining gives: a module around the encoder that turns a batch into a loss and figures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core import world
from core.data.stays.batches import Draws
from core.models.nets.stays import StayBatch, StayEncoder

# Purposes of random draws, so that none is used twice.
CELLS, STEPS, VARIABLES, SPANS, NOISE = range(5)


class ObjectiveNetwork(nn.Module):
    """Base: an encoder with what the objective needs beside it; `encoder` alone is kept in the end."""

    def __init__(self, encoder: StayEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, stays: StayBatch, draws: Draws) -> dict[str, Tensor]:
        """Figures of a batch by name, means over the whole batch of all processes; "loss" is what is made smaller."""
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Called after each step, as for a target that follows slowly; progress: 0..1 of the training."""

    def reconstruct(self, stays: StayBatch, draws: Draws) -> tuple[Tensor, Tensor] | None:
        """Which cells were hidden and what was put there, (B, T, variables) each; None: the objective does no such."""
        return None


def mean_where(value: Tensor, where: Tensor) -> Tensor:
    """The mean of `value` over the cells of the whole batch that `where` (bool) names."""
    weight = where.to(value.dtype)
    total, count = world.total(torch.stack([(value * weight).sum(), weight.sum()]))
    return total / count.detach().clamp_min(1)


def whole_batch(rows: Tensor) -> Tensor:
    """(B, width) of this process -> the rows of all, in order; the gradient is that of a loss of the whole batch.

    Every process has the same rows then, so any loss of them is the same in each. DDP takes the mean of the gradients
    of processes, of which each knows its own rows only; so they are made larger by their number.
    """
    if world.size() == 1 or not torch.is_grad_enabled():
        return rows
    import torch.distributed as dist

    held = [torch.empty_like(rows) for _ in range(world.size())]
    dist.all_gather(held, rows.detach().contiguous())
    held[world.rank()] = rows.detach() + world.size() * (rows - rows.detach())
    return torch.cat(held)


def hide(stays: StayBatch, draws: Draws, ratio: float, shares: Any) -> Tensor:
    """Cells to be hidden, (B, T, variables) bool, about `ratio` of all: single ones, whole steps, whole variables.

    shares: of the ratio for single cells, steps and variables. What is padding is never hidden.
    """
    steps, variables = stays.values.shape[1:]
    of = [share * ratio / sum(shares) for share in shares]
    hidden = draws.uniform(CELLS, steps, variables) < of[0]
    hidden |= draws.uniform(STEPS, steps, 1) < of[1]
    hidden |= draws.uniform(VARIABLES, 1, variables) < of[2]
    return hidden.to(stays.values.device) & ~stays.padding[..., None]


def guard(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Penalties on representations that collapse: little variance, and columns that say the same.

    rows: (B, width) of the whole batch. The variance and covariance terms of VICReg (Bardes et al., arXiv 2105.04906).
    """
    centered = rows - rows.mean(dim=0)
    spread = (centered.square().mean(dim=0) + 1e-4).sqrt()
    variance = torch.relu(1 - spread).mean()
    covariance = centered.T @ centered / max(len(rows) - 1, 1)
    beside = covariance - torch.diag(torch.diagonal(covariance))
    return variance, beside.square().sum() / rows.shape[1]
