"""The random patches that a network is trained on.

Every patch depends only on (seed, epoch, place in the epoch), so a resumed run sees what an uninterrupted one would.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from core import world
from core.data.augment import Pose, change_intensity, mirrored
from core.data.cache import CaseCache
from core.data.plan import IGNORED
from core.data.prefetch import PrefetchLoader
from core.data.sharing import ShareOfBatches, cases_of_this_process

Array = np.ndarray[Any, Any]


def crop(image: Array, label: Array, size: tuple[int, int, int], centre: Sequence[int]) -> tuple[Array, Array]:
    """Cut (C, x, y, z) arrays to a window about `centre`: inside the case where larger, zero-padded where smaller."""
    cuts, pads = [slice(None)], [(0, 0)]
    for n, p, start in zip(image.shape[1:], size, window_start(image.shape[1:], size, centre), strict=True):
        cuts.append(slice(max(start, 0), min(start + p, n)))
        pads.append((max(-start, 0), max(start + p - n, 0)))
    index = tuple(cuts)
    return np.pad(image[index], pads), np.pad(label[index], pads)


def window_start(shape: Sequence[int], size: Sequence[int], centre: Sequence[int]) -> list[int]:
    """Where a window about `centre` begins: inside the case; before it where the window is larger.

    >>> window_start((10, 10, 10), (4, 4, 14), (9, 5, 5))
    [6, 3, -2]
    """
    return [
        min(max(c - p // 2, 0), n - p) if n >= p else -((p - n) // 2)
        for n, p, c in zip(shape, size, centre, strict=True)
    ]


class PatchDataset(Dataset[dict[str, Any]]):
    """Augmented training patches; an item's key is (epoch, place in the epoch)."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], config: Any, seed: int) -> None:
        self.cache, self.ids, self.config, self.seed = cache, list(ids), config, seed
        self.foreground = {id: _structures(cache.load(id)[1][0]) for id in self.ids}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Any]:
        epoch, place, case = key
        rng = np.random.default_rng((self.seed, epoch, place))
        plan = self.cache.plan
        id = self.ids[case]
        image, label = self.cache.load(id)
        labelled = self.foreground[id]
        if len(labelled) and rng.random() < self.config.foreground:
            centre = labelled[rng.integers(len(labelled))].tolist()
        else:
            centre = [int(rng.integers(n)) for n in image.shape[1:]]
        pose = Pose.draw(self.config.augment, plan.spacing_mm, rng, plan.flat)
        window = plan.patch_size if pose is None else pose.window(plan.patch_size)
        patch, classes = (torch.from_numpy(part) for part in self.cut(id, image, label, window, centre))
        if pose is not None:
            patch, classes = pose.take(patch, classes, plan.patch_size)
        if axes := mirrored(self.config.augment, rng):
            patch, classes = patch.flip(axes), self.turned(classes, axes)
        if self.config.augment.intensity:
            patch = change_intensity(patch, self.config.augment.intensity, rng)
        return {"image": patch, "label": classes}

    def cut(
        self, id: str, image: Array, label: Array, window: tuple[int, int, int], centre: Sequence[int]
    ) -> tuple[Array, Array]:  # fmt: skip
        """A window of the case, and what is to be learned of each of its voxels."""
        return crop(image, label, window, centre)

    def turned(self, label: Tensor, axes: list[int]) -> Tensor:
        """What is to be learned of a patch that is mirrored."""
        return label.flip(axes)


def _structures(classes: Array) -> Array:
    """The (n, 3) places of the voxels of any structure."""
    return np.argwhere((classes > 0) & (classes != IGNORED)).astype(np.int16)


class EpochOrder(Sampler[tuple[int, int, int]]):
    """The shuffled cases of an epoch, each `repeats` times; Lightning tells the epoch."""

    def __init__(self, cases: int, repeats: int, seed: int) -> None:
        self.cases, self.repeats, self.seed, self.epoch = cases, repeats, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.cases * self.repeats

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        order = list(range(self.cases)) * self.repeats
        random.Random(f"{self.seed} {self.epoch}").shuffle(order)
        return iter([(self.epoch, place, case) for place, case in enumerate(order)])


class WholeCases(Dataset[dict[str, Any]]):
    """Whole prepared cases, for validation."""

    def __init__(self, cache: CaseCache, ids: Sequence[str]) -> None:
        self.cache, self.ids = cache, list(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, label = self.cache.load(self.ids[index])
        return {
            "image": torch.from_numpy(np.array(image)),
            "label": torch.from_numpy(np.array(label)),
            "case": self.ids[index],
        }


def train_loader(cache: CaseCache, ids: Sequence[str], experiment: Any) -> DataLoader[Any]:
    """Batches of augmented patches, as `loader_of`."""
    return loader_of(PatchDataset(cache, ids, experiment.data, experiment.seed), experiment)


def loader_of(dataset: PatchDataset, experiment: Any) -> DataLoader[Any]:
    """Batches of patches in the epoch's order; of several processes, each takes its part of every batch."""
    trainer = experiment.trainer
    order = EpochOrder(len(dataset), trainer.patches_per_case, experiment.seed)
    if world.size() > 1:
        share = ShareOfBatches(order, trainer.batch_size)
        return PrefetchLoader(dataset, device=trainer.device, batch_size=share.batch_size, sampler=share)
    drop_last = len(order) >= trainer.batch_size
    return PrefetchLoader(
        dataset, device=trainer.device, batch_size=trainer.batch_size, sampler=order, drop_last=drop_last
    )


def validation_loader(cache: CaseCache, ids: Sequence[str]) -> DataLoader[Any]:
    return DataLoader(WholeCases(cache, cases_of_this_process(ids)), batch_size=1, num_workers=0)
