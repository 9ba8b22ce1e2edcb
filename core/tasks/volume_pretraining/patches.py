"""Patches of which a part is hidden. What is hidden follows from (seed, epoch, place), as the patch does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from core.data.patches import CaseCache, PatchDataset, crop, loader_of
from core.data.sharing import cases_of_this_process

HIDING = 7  # sets the draws of the hiding apart from those of the patch


class HiddenPatches(PatchDataset):
    """Training patches as the network sees them, as they are, and where its answer counts."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], experiment: Any) -> None:
        super().__init__(cache, ids, experiment.data, experiment.seed)
        self.objective = experiment.ssl

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Any]:
        epoch, place, _ = key
        rng = np.random.default_rng((self.seed, epoch, place, HIDING))
        return hidden(super().__getitem__(key)["image"], self.objective, rng)


class MiddlePatches(Dataset[dict[str, Any]]):
    """The patch in the middle of each scan, hidden in the same way each time, for validation."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], experiment: Any) -> None:
        self.cache, self.ids, self.experiment = cache, list(ids), experiment

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, label = self.cache.load(self.ids[index])
        patch, _ = crop(image, label, self.cache.plan.patch_size, [n // 2 for n in image.shape[1:]])
        rng = np.random.default_rng((self.experiment.seed, index, HIDING))
        return hidden(torch.from_numpy(patch), self.experiment.ssl, rng) | {"case": self.ids[index]}


def hidden(image: torch.Tensor, objective: Any, rng: np.random.Generator) -> dict[str, Any]:
    """A patch as the network sees it (`image`), as it is (`target`), and where its answer counts (`counts`)."""
    seen, counts = objective.hide(image, rng)
    return {"image": seen, "target": image, "counts": counts}


def loaders(cache: CaseCache, split: dict[str, list[str]], experiment: Any) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The batches of the training and of the validation."""
    train = loader_of(HiddenPatches(cache, split["train"], experiment), experiment)
    ids = cases_of_this_process(split["val"])
    return train, DataLoader(MiddlePatches(cache, ids, experiment), batch_size=1, num_workers=0)
