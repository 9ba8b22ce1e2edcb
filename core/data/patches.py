"""Prepared cases on disk, and the random patches a network is trained on.

Every patch depends only on (seed, epoch, place in the epoch), so a resumed run sees what an uninterrupted one would.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from monai.data.thread_buffer import ThreadDataLoader
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import (
    RandAdjustContrastd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from monai.transforms.spatial.dictionary import RandAffined, RandFlipd, RandSimulateLowResolutiond
from torch.utils.data import DataLoader, Dataset, Sampler

from core.config import AugmentConfig
from core.control import JobControl
from core.data.dataset import Case
from core.data.plan import IGNORED, Plan
from core.data.prepare import prepare, prepare_labels
from core.files import replacing
from core.imaging.reader import read

Array = np.ndarray[Any, Any]


class CaseCache:
    """Prepared images (float32) and class maps (uint8) as memory-mapped arrays in a folder."""

    def __init__(self, folder: Path, cases: Sequence[Case], plan: Plan) -> None:
        self.folder = folder
        self.cases = {case.id: case for case in cases}
        self.plan = plan

    def fill(self, control: JobControl) -> None:
        """Prepare every case that is not there yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for number, case in enumerate(self.cases.values()):
            control.progress(number / len(self.cases), f"Preparing {case.id} ({number + 1} of {len(self.cases)})")
            if not self._path(case.id, "label").exists():
                self._save(case.id, "image", prepare(read(case.image), self.plan).image)
                self._save(case.id, "label", prepare_labels(read(case.label), self.plan)[None])

    def load(self, id: str) -> tuple[Array, Array]:
        """Image (channels, x, y, z) and class map (1, x, y, z), read-only maps."""
        return tuple(np.load(self._path(id, kind), mmap_mode="r") for kind in ("image", "label"))

    def _path(self, id: str, kind: str) -> Path:
        return self.folder / f"{id}-{kind}.npy"

    def _save(self, id: str, kind: str, array: Array) -> None:
        with replacing(self._path(id, kind)) as part:
            np.save(part, array)


def augmentation(config: AugmentConfig) -> Compose:
    """MONAI's random transforms at the configured strengths, for {"image", "label"} patches."""
    axes = {"x": 0, "y": 1, "z": 2}
    angle, k = float(np.deg2rad(config.rotate_deg)), config.intensity
    image_only: dict[str, Any] = {"keys": "image"}
    steps: list[Any] = [
        RandFlipd(keys=("image", "label"), prob=0.5, spatial_axis=axes[axis]) for axis in config.flip_axes
    ]
    if angle or config.scale:
        steps.append(
            RandAffined(
                keys=("image", "label"), mode=("bilinear", "nearest"), padding_mode="zeros", prob=0.6,
                rotate_range=(angle,) * 3, scale_range=(config.scale,) * 3, translate_range=(2.0,) * 3,
            )
        )  # fmt: skip
    if k:
        steps += [
            RandGaussianNoised(**image_only, prob=0.15, std=k),
            RandGaussianSmoothd(
                **image_only,
                prob=0.15,
                sigma_x=(0.3, 0.3 + 4 * k),
                sigma_y=(0.3, 0.3 + 4 * k),
                sigma_z=(0.3, 0.3 + 4 * k),
            ),
            RandScaleIntensityd(**image_only, prob=0.2, factors=1.25 * k),
            RandShiftIntensityd(**image_only, prob=0.2, offsets=0.5 * k),
            RandAdjustContrastd(**image_only, prob=0.25, gamma=(1 - 1.5 * k, 1 + 2.5 * k), retain_stats=True),
            RandSimulateLowResolutiond(**image_only, prob=0.1, zoom_range=(1 - 2.0 * k, 1.0)),
        ]
    return Compose(steps)


def crop(image: Array, label: Array, size: tuple[int, int, int], centre: Sequence[int]) -> tuple[Array, Array]:
    """Cut (C, x, y, z) arrays to a window about `centre`: inside the case where larger, zero-padded where smaller."""
    cuts, pads = [slice(None)], [(0, 0)]
    for n, p, c in zip(image.shape[1:], size, centre, strict=True):
        start = min(max(c - p // 2, 0), n - p) if n >= p else 0
        cuts.append(slice(start, min(start + p, n)))
        missing = max(p - n, 0)
        pads.append((missing // 2, missing - missing // 2))
    index = tuple(cuts)
    return np.pad(image[index], pads), np.pad(label[index], pads)


class PatchDataset(Dataset[dict[str, Any]]):
    """Augmented training patches; an item's key is (epoch, place in the epoch)."""

    def __init__(self, cache: CaseCache, ids: Sequence[str], config: Any, seed: int) -> None:
        self.cache, self.ids, self.config, self.seed = cache, list(ids), config, seed
        self.augment = augmentation(config.augment)
        self.foreground = {id: _structures(cache.load(id)[1][0]) for id in self.ids}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: tuple[int, int, int]) -> dict[str, Any]:
        epoch, place, case = key
        rng = np.random.default_rng((self.seed, epoch, place))
        id = self.ids[case]
        image, label = self.cache.load(id)
        labelled = self.foreground[id]
        if len(labelled) and rng.random() < self.config.foreground:
            centre = labelled[rng.integers(len(labelled))].tolist()
        else:
            centre = [int(rng.integers(n)) for n in image.shape[1:]]
        patch, classes = crop(image, label, self.cache.plan.patch_size, centre)
        self.augment.set_random_state(seed=int(rng.integers(2**31)))
        out = self.augment({"image": torch.from_numpy(patch), "label": torch.from_numpy(classes)})
        return {"image": out["image"].float(), "label": out["label"].to(torch.uint8)}


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
    """Batches of patches, made one ahead in a thread (worker processes would cost seconds to start beside a window)."""
    monai.data.set_track_meta(False)
    dataset = PatchDataset(cache, ids, experiment.data, experiment.seed)
    trainer = experiment.trainer
    order = EpochOrder(len(dataset), trainer.patches_per_case, experiment.seed)
    return ThreadDataLoader(
        dataset, buffer_size=2, batch_size=trainer.batch_size, sampler=order, num_workers=0,
        drop_last=len(order) >= trainer.batch_size,
    )  # fmt: skip


def validation_loader(cache: CaseCache, ids: Sequence[str]) -> DataLoader[Any]:
    return DataLoader(WholeCases(cache, ids), batch_size=1, num_workers=0)
