"""What every objective of the pretraining on scans is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.control import JobControl
from core.registry import Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from core.data.cache import CaseCache
    from core.tasks.volume_pretraining.atlas import Atlas


class Objective(Part):
    """Base. pictured: what the pictures of the preview show."""

    pictured: ClassVar[str] = "as it is, as the network saw it, what it made of it"

    @property
    def hidden_side(self) -> int:
        """The voxels along a side of what is hidden; a patch must be larger."""
        return 0

    def guide(
        self, cache: CaseCache, split: dict[str, list[str]], folder: Path, seed: int, control: JobControl
    ) -> Atlas | None:  # fmt: skip
        """An atlas of the training scans where the objective tells places in it, kept in the run's folder."""
        return None

    def hide(self, image: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(channels, x, y, z) -> what the network sees of it, and where its answer counts (1, x, y, z) of 0 and 1."""
        raise NotImplementedError

    def outputs(self, channels: int) -> int:
        """How many channels the network answers for a scan with so many."""
        return channels

    def loss(self, told: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The error of what was told (B, outputs, x, y, z), for a batch of core.tasks.volume_pretraining.patches."""
        from core.tasks.volume_pretraining.errors import error_where

        return error_where(told, batch["target"], batch["counts"])

    def pictures(self, told: Tensor, batch: dict[str, Any]) -> Sequence[Tensor]:
        """Three of the first patch, (x, y, z), for the preview; the first one's range is that of all."""
        return [picture[0, 0].float() for picture in (batch["target"], batch["image"], told)]
