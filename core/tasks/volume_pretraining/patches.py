"""Patches and what is to be told of them. What is hidden follows from (seed, epoch, place), as the patch does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from core.data.cache import CaseCache
from core.data.patches import Array, PatchDataset, crop, loader_of, window_start
from core.data.sharing import cases_of_this_process
from core.tasks.volume_pretraining.atlas import Atlas

HIDING = 7  # sets the draws of the hiding apart from those of the patch


class HiddenPatches(PatchDataset):
    """Training patches as the network sees them, as they are, and where they lie: in the scan, and in an atlas."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], experiment: Any, atlas: Atlas | None = None) -> None:
        super().__init__(cache, ids, experiment.data, experiment.seed)
        self.objective, self.atlas = experiment.ssl, atlas

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Any]:
        epoch, place, _ = key
        rng = np.random.default_rng((self.seed, epoch, place, HIDING))
        item = super().__getitem__(key)
        return hidden(item["image"], item["label"], self.objective, rng)

    def cut(
        self, id: str, image: Array, label: Array, window: tuple[int, int, int], centre: Sequence[int]
    ) -> tuple[Array, Array]:  # fmt: skip
        patch, _ = crop(image, label, window, centre)
        return patch, located(id, image.shape[1:], window, centre, self.atlas)

    def turned(self, label: Tensor, axes: list[int]) -> Tensor:
        # As if the scan had been mirrored: what lay left of its middle lies right of it. The anatomy stays what it is,
        # as the structures of a segmentation do whose patches may be mirrored.
        signs = torch.ones(len(label), 1, 1, 1)
        for axis in axes:
            signs[axis - 1] = -1
        return label.flip(axes) * signs


class MiddlePatches(Dataset[dict[str, Any]]):
    """The patch in the middle of each scan, hidden in the same way each time, for validation."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], experiment: Any, atlas: Atlas | None = None) -> None:
        self.cache, self.ids, self.experiment, self.atlas = cache, list(ids), experiment, atlas

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, label = self.cache.load(self.ids[index])
        size, centre = self.cache.plan.patch_size, [n // 2 for n in image.shape[1:]]
        patch, _ = crop(image, label, size, centre)
        where = torch.from_numpy(located(self.ids[index], image.shape[1:], size, centre, self.atlas))
        rng = np.random.default_rng((self.experiment.seed, index, HIDING))
        return hidden(torch.from_numpy(patch), where, self.experiment.ssl, rng) | {"case": self.ids[index]}


def places(shape: Sequence[int], window: Sequence[int], centre: Sequence[int]) -> Array:
    """(4, *window): where in the scan each voxel lies, -1 to 1 along each axis, and whether it lies in it, 1 or 0.

    >>> places((4, 1, 1), (2, 1, 1), (3, 0, 0))[0].ravel().tolist()
    [0.25, 0.75]
    """
    axes = along(shape, window, centre)
    where = np.meshgrid(*axes, indexing="ij")
    inside = np.meshgrid(*[np.abs(axis) < 1 for axis in axes], indexing="ij")
    return np.stack([*where, np.logical_and.reduce(inside)]).astype(np.float32)


def along(shape: Sequence[int], window: Sequence[int], centre: Sequence[int]) -> list[Array]:
    """Where the voxels of a window lie along each axis of a scan, -1 to 1 in it."""
    starts = window_start(shape, window, centre)
    return [
        (start + np.arange(size) + 0.5) / n * 2 - 1 for start, size, n in zip(starts, window, shape, strict=True)
    ]  # fmt: skip


def located(
    id: str, shape: Sequence[int], window: Sequence[int], centre: Sequence[int], atlas: Atlas | None
) -> Array:  # fmt: skip
    """As `places`, and after these the three of the atlas where there is one."""
    where = places(shape, window, centre)
    if atlas is None:
        return where
    return np.concatenate([where, atlas.places(id, along(shape, window, centre))])


def hidden(image: Tensor, where: Tensor, objective: Any, rng: np.random.Generator) -> dict[str, Any]:
    """A patch as the network sees it (`image`), as it is (`target`), where that counts (`counts`), its `places`.

    With an atlas, the places in it too: `anatomy`.
    """
    seen, counts = objective.hide(image, rng)
    told = {"image": seen, "target": image, "counts": counts * where[3:4], "places": where[:4]}
    return told if len(where) == 4 else told | {"anatomy": where[4:]}


def loaders(
    cache: CaseCache, split: dict[str, list[str]], experiment: Any, atlas: Atlas | None
) -> tuple[DataLoader[Any], DataLoader[Any]]:  # fmt: skip
    """The batches of the training and of the validation."""
    train = loader_of(HiddenPatches(cache, split["train"], experiment, atlas), experiment)
    ids = cases_of_this_process(split["val"])
    return train, DataLoader(MiddlePatches(cache, ids, experiment, atlas), batch_size=1, num_workers=0)
