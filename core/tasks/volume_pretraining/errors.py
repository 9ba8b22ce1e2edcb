"""The error that objectives are made of."""

from __future__ import annotations

import torch
from torch import Tensor

from core import world


def error_where(told: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """The mean square error of (B, C, x, y, z) over voxels that count, (B, 1, x, y, z) of 0 to 1; 0 where none does."""
    off = ((told.float() - target) ** 2 * counts).sum()
    total, count = world.total(torch.stack([off, counts.sum()]))
    return total / (count * told.shape[1]).clamp(min=1)
