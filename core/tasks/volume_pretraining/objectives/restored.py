"""Restoring a distorted scan: the tasks of Models Genesis (Zhou et al. 2021, doi 10.1016/j.media.2020.101840).

Its grey values are bent, small pieces of it are shuffled within, and blocks are painted over; the network gives the
scan as it was, everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from core.registry import register
from core.tasks.volume_pretraining.objective import Objective
from core.tasks.volume_pretraining.objectives.masked import blocks

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@register("volume_ssl")
class RestoredConfig(Objective):
    """Give a scan as it was, from one whose grey values, pieces and blocks were changed."""

    name: Literal["restored"] = "restored"
    bent: float = Field(0.9, ge=0, le=1, title="Bent", description="Chance that a patch's grey values are bent.")
    shuffled: float = Field(
        0.5, ge=0, le=1, title="Shuffled", description="Chance that voxels are shuffled within many small pieces."
    )
    mask_ratio: float = Field(0.4, ge=0, lt=1, title="Masked", description="Share of the blocks that is painted over.")
    block: int = Field(8, ge=1, le=64, title="Block (voxels)", description="Side of a block.")

    def hide(self, image: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(channels, x, y, z) -> what the network sees of it, and where its answer counts (1, x, y, z) of 0 and 1."""
        import torch

        seen = bend(image, rng) if rng.random() < self.bent else image
        if rng.random() < self.shuffled:
            seen = shuffle(seen, rng)
        if self.mask_ratio:
            hidden = blocks(image.shape[1:], self.block, self.mask_ratio, rng).to(image)
            noise = torch.from_numpy(rng.normal(size=seen.shape).astype("float32")).to(image)
            seen = seen * (1 - hidden) + hidden * noise * float(rng.uniform(0, 1))
        return seen, torch.ones_like(image[:1])

    @property
    def hidden_side(self) -> int:
        return self.block


def bend(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Each grey value by a random monotonic curve, rising or falling, over the patch's range (a Bezier curve)."""
    import numpy as np
    import torch

    low, high = float(image.min()), float(image.max())
    if high <= low:
        return image
    t = np.linspace(0, 1, 256)
    (x1, x2), (y1, y2) = np.sort(rng.random(2)), rng.random(2)
    curve = [3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t**2 * b + t**3 for a, b in ((x1, x2), (y1, y2))]
    heights = curve[1] if rng.random() < 0.5 else 1 - curve[1]
    values = np.interp(((image.numpy() - low) / (high - low)).ravel(), curve[0], heights).reshape(image.shape)
    bent = torch.from_numpy(values.astype(np.float32))
    spread = float(bent.std())
    # As a scan that is standardised: the network must not know the curve by the mean.
    return (bent - bent.mean()) / spread if spread > 0 else image


def shuffle(image: Tensor, rng: np.random.Generator, pieces: int = 300) -> Tensor:
    """The voxels within many small boxes in another order, so that texture is lost and shape is kept."""
    import numpy as np
    import torch

    mixed = image.numpy().copy()
    sides = np.maximum(np.array(image.shape[1:]) // 10, 1)
    for _ in range(pieces):
        side = rng.integers(1, sides + 1)
        begin = [int(rng.integers(n - s + 1)) for n, s in zip(image.shape[1:], side, strict=True)]
        place = (slice(None), *(slice(b, b + int(s)) for b, s in zip(begin, side, strict=True)))
        piece = image.numpy()[place].reshape(len(image), -1)
        mixed[place] = piece[:, rng.permutation(piece.shape[1])].reshape(mixed[place].shape)
    return torch.from_numpy(mixed)
