"""The masked autoencoder (He et al. 2022, arXiv 2111.06377) for volumes: blocks are hidden, what they held is told.

A convolutional network sees the hidden blocks as zeros, as in nnssl (Wald et al. 2024, arXiv 2410.23132).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from core.registry import register
from core.tasks.volume_pretraining.objective import Objective

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@register("volume_ssl")
class MaskedConfig(Objective):
    """Tell what hidden blocks of a scan held, from the blocks around them."""

    name: Literal["masked"] = "masked"
    mask_ratio: float = Field(
        0.6, gt=0, lt=1, title="Masked", description="Share of the blocks that is hidden; 0.6 to 0.75 is usual."
    )
    block: int = Field(8, ge=1, le=64, title="Block (voxels)", description="Side of a hidden block.")

    def hide(self, image: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(channels, x, y, z) -> what the network sees of it, and where its answer counts (1, x, y, z) of 0 and 1."""
        hidden = blocks(image.shape[1:], self.block, self.mask_ratio, rng).to(image)
        return image * (1 - hidden), hidden

    @property
    def hidden_side(self) -> int:
        return self.block


def blocks(shape: Any, side: int, ratio: float, rng: np.random.Generator) -> Tensor:
    """Hidden voxels as 1 in (1, x, y, z): exactly the share `ratio` of the blocks of a grid that lies at random."""
    import numpy as np
    import torch

    counts = [-(-n // side) + (n > 1) for n in shape]  # one more, since the grid may begin outside
    chosen = np.zeros(int(np.prod(counts)), np.float32)
    chosen[rng.permutation(chosen.size)[: max(round(ratio * chosen.size), 1)]] = 1
    grid = chosen.reshape(counts)
    for axis, n in enumerate(shape):
        begin = int(rng.integers(side)) if n > 1 else 0
        grid = np.repeat(grid, side, axis=axis).take(range(begin, begin + n), axis=axis)
    return torch.from_numpy(np.ascontiguousarray(grid[None]))
