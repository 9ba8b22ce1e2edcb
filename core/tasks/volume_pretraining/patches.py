"""Patches of which a part is hidden. What is hidden follows from (seed, epoch, place), as the patch does."""

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

HIDING = 7  # sets the draws of the hiding apart from those of the patch


class HiddenPatches(PatchDataset):
    """Training patches as the network sees them, as they are, and where they lie."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], experiment: Any) -> None:
        super().__init__(cache, ids, experiment.data, experiment.seed)
        self.objective = experiment.ssl

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Any]:
        epoch, place, _ = key
        rng = np.random.default_rng((self.seed, epoch, place, HIDING))
        item = super().__getitem__(key)
        return hidden(item["image"], item["label"], self.objective, rng)

    def cut(
        self, image: Array, label: Array, window: tuple[int, int, int], centre: Sequence[int]
    ) -> tuple[Array, Array]:  # fmt: skip
        return crop(image, label, window, centre)[0], places(image.shape[1:], window, centre)

    def turned(self, label: Tensor, axes: list[int]) -> Tensor:
        # As if the scan had been mirrored: what lay left of its middle lies right of it.
        signs = torch.ones(4, 1, 1, 1)
        for axis in axes:
            signs[axis - 1] = -1
        return label.flip(axes) * signs


class MiddlePatches(Dataset[dict[str, Any]]):
    """The patch in the middle of each scan, hidden in the same way each time, for validation."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], experiment: Any) -> None:
        self.cache, self.ids, self.experiment = cache, list(ids), experiment

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, label = self.cache.load(self.ids[index])
        size, centre = self.cache.plan.patch_size, [n // 2 for n in image.shape[1:]]
        patch, _ = crop(image, label, size, centre)
        where = torch.from_numpy(places(image.shape[1:], size, centre))
        rng = np.random.default_rng((self.experiment.seed, index, HIDING))
        return hidden(torch.from_numpy(patch), where, self.experiment.ssl, rng) | {"case": self.ids[index]}


def places(shape: Sequence[int], window: Sequence[int], centre: Sequence[int]) -> Array:
    """(4, *window): where in the scan each voxel lies, -1 to 1 along each axis, and whether it lies in it, 1 or 0.

    >>> places((4, 1, 1), (2, 1, 1), (3, 0, 0))[0].ravel().tolist()
    [0.25, 0.75]
    """
    along = [start + np.arange(size) for start, size in zip(window_start(shape, window, centre), window, strict=True)]
    where = np.meshgrid(*[(i + 0.5) / n * 2 - 1 for i, n in zip(along, shape, strict=True)], indexing="ij")
    inside = np.meshgrid(*[(i >= 0) & (i < n) for i, n in zip(along, shape, strict=True)], indexing="ij")
    return np.stack([*where, np.logical_and.reduce(inside)]).astype(np.float32)


def hidden(image: Tensor, where: Tensor, objective: Any, rng: np.random.Generator) -> dict[str, Any]:
    """A patch as the network sees it (`image`), as it is (`target`), where that counts (`counts`), its `places`."""
    seen, counts = objective.hide(image, rng)
    return {"image": seen, "target": image, "counts": counts * where[3:], "places": where}


def loaders(cache: CaseCache, split: dict[str, list[str]], experiment: Any) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The batches of the training and of the validation."""
    train = loader_of(HiddenPatches(cache, split["train"], experiment), experiment)
    ids = cases_of_this_process(split["val"])
    return train, DataLoader(MiddlePatches(cache, ids, experiment), batch_size=1, num_workers=0)
