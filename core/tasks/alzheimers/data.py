"""The subjects that a risk network sees, as tensors: volumes on the grid, clinical values, what is there of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from core import world
from core.control import JobControl
from core.data.cohort.subject import Cohort, Subject
from core.data.cohort.volumes import volumes
from core.data.prefetch import PrefetchLoader
from core.data.sharing import ShareOfBatches, share_of
from core.side_by_side import side_by_side
from core.tasks.alzheimers.norms import Norms, fit_norms
from core.tasks.alzheimers.plan import RiskPlan

Array = np.ndarray[Any, Any]
Batch = dict[str, Tensor]
Rows = Sequence[int] | Array
Found = tuple[Array | None, Array | None]  # the MRI and the PET
Key = tuple[int, int]  # epoch, row; the epoch is -1 where nothing is drawn

MOST_IN_MEMORY = 4 * 1024**3


class Volumes:
    """The images of a cohort's rows on the model's grid; in memory where they are not too many, else read again."""

    def __init__(self, subjects: Sequence[Subject], plan: RiskPlan, cache_folder: Path, *, keep: bool = True) -> None:
        self.subjects, self.plan, self.cache_folder, self.keep = subjects, plan, cache_folder, keep
        self._held: dict[int, Found] = {}
        self._bytes = 0

    def fill(self, rows: Rows, control: JobControl) -> None:
        """Make what is not made yet. Raises UnreadableScan or RegistrationFailed for an image that cannot be used."""
        wanted = [int(row) for row in rows]
        for row, found in zip(
            wanted, side_by_side(self._read, wanted, control, "Images of subject {} of {}"), strict=True
        ):
            self._hold(row, found)

    def get(self, row: int, control: JobControl | None = None) -> Found:
        if row not in self._held:
            self._hold(row, found := self._read(row, control or JobControl()))
            return found
        return self._held[row]

    def _read(self, row: int, control: JobControl) -> Found:
        return self._held.get(row) or volumes(self.subjects[row], self.plan.grid, control, self.cache_folder)

    def _hold(self, row: int, found: Found) -> None:
        size = sum(volume.nbytes for volume in found if volume is not None)
        if self.keep and row not in self._held and self._bytes + size <= MOST_IN_MEMORY:
            self._held[row] = found
            self._bytes += size

    def norms(self, rows: Rows) -> Norms:
        return fit_norms((self.get(int(row)) for row in rows), self.plan.shape)


class RiskRows(Dataset[Batch]):
    """One subject by (epoch, row). augment: changes drawn by seed, epoch and row; None: none.

    images (2, x, y, z), clinical (values,) with NaN, present (2,) bool, target, row.
    """

    def __init__(
        self, cohort: Cohort, plan: RiskPlan, held: Volumes, norms: Norms, augment: Any = None, seed: int = 0
    ) -> None:
        self.held, self.norms, self.augment, self.seed = held, norms, augment, seed
        self.clinical = plan.standardised(plan.arranged(cohort, range(len(cohort))))
        self.targets = cohort.targets

    def __getitem__(self, key: Key) -> Batch:
        epoch, row = key
        mri, pet = self.held.get(row)
        images, clinical = self.norms.standardised(mri, pet), self.clinical[row].copy()
        present = np.array([mri is not None, pet is not None])
        if self.augment is not None and epoch >= 0:
            rng = np.random.default_rng((self.seed, epoch, row))
            images, clinical = changed(images, clinical, self.augment, rng)
        images[~present] = 0
        return {
            "images": torch.from_numpy(images), "clinical": torch.from_numpy(clinical),
            "present": torch.from_numpy(present), "target": torch.tensor(self.targets[row]), "row": torch.tensor(row),
        }  # fmt: skip


def changed(images: Array, clinical: Array, augment: Any, rng: np.random.Generator) -> tuple[Array, Array]:
    """A subject with random changes: images (2, x, y, z) and values (n,) in standard deviations."""
    if augment.mirror and rng.random() < 0.5:
        images = images[:, ::-1]
    if augment.shift:
        moves = rng.integers(-augment.shift, augment.shift + 1, 3)
        images = moved(images, moves)
    if augment.noise:
        images = images + rng.normal(0, augment.noise, images.shape).astype(np.float32)
    if augment.value_noise:
        clinical = clinical + rng.normal(0, augment.value_noise, clinical.shape).astype(np.float32)
    if augment.value_dropout:
        clinical = np.where(rng.random(clinical.shape) < augment.value_dropout, np.nan, clinical).astype(np.float32)
    return np.ascontiguousarray(images, np.float32), clinical


def moved(images: Array, moves: Sequence[int] | Array) -> Array:
    """(channels, x, y, z) moved by whole voxels; what comes in is 0.

    >>> moved(np.arange(3.0).reshape(1, 3, 1, 1), (1, 0, 0)).ravel()
    array([0., 0., 1.])
    """
    found = np.zeros_like(images)
    into, out_of = [slice(None)], [slice(None)]
    for move, side in zip(moves, images.shape[1:], strict=True):
        into.append(slice(max(move, 0), side + min(move, 0)))
        out_of.append(slice(max(-move, 0), side - max(move, 0)))
    found[tuple(into)] = images[tuple(out_of)]
    return found


class ShuffledRows(Sampler[Key]):
    """The rows of an epoch in an order that seed and epoch give; Lightning tells the epoch."""

    def __init__(self, rows: Rows, seed: int) -> None:
        self.rows, self.seed, self.epoch = np.asarray(rows), seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Key]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.rows)
        return iter([(self.epoch, int(row)) for row in order])


def train_loader(rows: RiskRows, train: Rows, experiment: Any) -> DataLoader[Batch]:
    batch = experiment.trainer.batch_size
    order: Any = ShuffledRows(train, experiment.seed)
    if world.size() > 1:
        order = ShareOfBatches(order, batch)
    return PrefetchLoader(rows, device=experiment.trainer.device, batch_size=share_of(batch), sampler=order)


def plain_loader(rows: RiskRows, chosen: Rows, batch_size: int) -> DataLoader[Batch]:
    """The chosen rows in their order, without changes."""
    keys: Any = [(-1, int(row)) for row in chosen]
    return DataLoader(rows, batch_size=batch_size, sampler=keys, num_workers=0)
