"""Telling where in the anatomy each voxel lies, without labels: its place in the mean of the scans once aligned.

Unlike the place in the scan itself (`placed`), it follows how each scan's anatomy lies, so that it is nearly what a
segmentation is: encoder and decoder both learn what one needs. Points of the anatomy as a task without labels are those
of SAM (Yan 2022, arXiv 2012.02383); here a place is told as a class along each axis, with shares of the two nearest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from core.control import JobControl
from core.registry import register
from core.tasks.volume_pretraining.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from core.data.cache import CaseCache
    from core.tasks.volume_pretraining.atlas import Atlas

SHARE = 0.125
CHEQUERS = 6  # along each axis of the mean, in the preview


@register("volume_ssl")
class AtlasConfig(Objective):
    """Tell where in the mean of all scans each voxel lies. For scans that show the same anatomy in about one frame."""

    pictured: ClassVar[str] = "as it is, the mean scan's chequers bent onto it, where the network sees them"
    name: Literal["atlas"] = "atlas"
    steps: int = Field(
        12, ge=2, le=64, title="Steps", description="Into so many the mean scan is divided along each axis."
    )

    def guide(
        self, cache: CaseCache, split: dict[str, list[str]], folder: Path, seed: int, control: JobControl
    ) -> Atlas:  # fmt: skip
        from core.tasks.volume_pretraining.atlas import FILE, Atlas, make

        ids = [*split["train"], *split["val"]]
        if (folder / FILE).exists():
            atlas = Atlas.load(folder / FILE)
        else:
            atlas = make(cache, split["train"], seed, control.part(0, 0.5))
        if set(ids) - atlas.fields.keys():
            atlas = atlas.with_scans(cache, ids, control.part(0.5, 1))
            atlas.save(folder / FILE)
        return atlas

    def hide(self, image: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Nothing is hidden. An eighth of the voxels counts: neighbours tell nearly the same, all take long."""
        import torch

        return image, torch.from_numpy(rng.random((1, *image.shape[1:])) < SHARE).float()

    def outputs(self, channels: int) -> int:
        """One for each step along each axis."""
        return 3 * self.steps

    def loss(self, told: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The mean over the axes of the cross-entropy, of the voxels that count."""
        import torch

        from core import world
        from core.tasks.volume_pretraining.atlas import between

        counting = batch["counts"][:, 0] > 0
        answers = told.movedim(1, -1)[counting].float().unflatten(1, (3, self.steps)).log_softmax(2)
        places = batch["anatomy"].movedim(1, -1)[counting]
        shares = torch.stack([between(place, self.steps) for place in places.unbind(1)], 1)
        off = -(shares * answers).sum()
        total, count = world.total(torch.stack([off, off.new_tensor(3.0 * len(places))]))
        return total / count.clamp(min=1)

    def pictures(self, told: Tensor, batch: dict[str, Any]) -> Sequence[Tensor]:
        """The scan, and twice with the mean's chequers on it: where they lie, and where they are told to."""
        import torch

        image, nodes = batch["target"][0, 0].float(), torch.linspace(-1, 1, self.steps, device=told.device)
        seen = told[0].float().unflatten(0, (3, self.steps)).softmax(1)
        places = (batch["anatomy"][0], (seen * nodes.view(1, -1, 1, 1, 1)).sum(1))
        lift = (image.max() - image.min()) / 4
        chequers = (((where + 1) * CHEQUERS / 2).floor().sum(0) % 2 for where in places)
        return [image, *(image + lift * (chequer - 0.5) for chequer in chequers)]
