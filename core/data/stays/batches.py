"""Batches of stays: of like length, the same for any number of processes, and their random draws with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from core import world
from core.data.sharing import share_of
from core.data.stays.coding import StayCoding
from core.data.stays.grid import Grid
from core.errors import ConfigError
from core.models.nets.stays import StayBatch

Array = np.ndarray[Any, Any]
POOL = 32  # batches whose stays are sorted by length together


class Draws(NamedTuple):
    """Random numbers of a batch that do not depend on how many processes share it."""

    seed: int
    epoch: int
    step: int
    first: int  # of the whole batch's rows, the first of this process
    rows: int  # of this process
    whole: int

    def generator(self, purpose: int) -> torch.Generator:
        mixed = np.random.SeedSequence([self.seed, self.epoch, self.step, purpose]).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))

    def uniform(self, purpose: int, *shape: int) -> Tensor:
        """(rows, *shape) in 0..1; each purpose has numbers of its own."""
        drawn = torch.rand((self.whole, *shape), generator=self.generator(purpose))
        return drawn[self.first : self.first + self.rows]

    def normal(self, purpose: int, *shape: int) -> Tensor:
        drawn = torch.randn((self.whole, *shape), generator=self.generator(purpose))
        return drawn[self.first : self.first + self.rows]


class Batch(NamedTuple):
    """stays, their target (B, ...) float32 or int64, their numbers among the rows, and the draws."""

    stays: StayBatch
    target: Tensor
    rows: Tensor
    draws: Draws


class StayRows:
    """A grid's stays as tensors, with a target each, from which batches are cut."""

    def __init__(self, coding: StayCoding, grid: Grid, target: Array | None = None) -> None:
        self.values, self.observed = torch.from_numpy(grid.values), torch.from_numpy(grid.observed)
        self.lengths, self.statics = torch.from_numpy(grid.lengths), torch.from_numpy(grid.statics)
        self.times = torch.arange(coding.steps, dtype=torch.float32) * coding.step_hours
        self.target = torch.zeros(len(grid)) if target is None else torch.from_numpy(target)

    def __len__(self) -> int:
        return len(self.values)

    def stays(self, rows: Tensor, steps: int | None = None) -> StayBatch:
        """Some rows as a batch, cut to the longest of them or to `steps`."""
        lengths = self.lengths[rows]
        steps = int(lengths.max()) if steps is None else steps
        padding = torch.arange(steps)[None] >= lengths[:, None]
        return StayBatch(
            self.values[rows, :steps], self.observed[rows, :steps], padding,
            self.times[None, :steps].expand(len(rows), steps), self.statics[rows],
        )  # fmt: skip


def batches_of(lengths: Array, rows: Array, batch_size: int, rng: np.random.Generator) -> list[Array]:
    """Rows in batches of about one length: shuffled, sorted by length within pools of batches, and dealt out.

    What does not fill a batch is left out, in each epoch another part, so that processes can share every batch.
    """
    order = rng.permutation(rows)
    pool = POOL * batch_size
    order = np.concatenate(
        [part[np.argsort(lengths[part], kind="stable")] for part in np.split(order, range(pool, len(order), pool))]
    )
    count = len(order) // batch_size
    order = np.delete(order, rng.choice(len(order), len(order) - count * batch_size, replace=False))
    batches = np.split(order, count)
    return [batches[n] for n in rng.permutation(count)]


class _Batches(Dataset[Batch]):
    """The batches of an epoch; a key is (epoch, step)."""

    def __init__(self, stays: StayRows, rows: Array, batch_size: int, seed: int, weights: Array | None) -> None:
        self.stays, self.rows, self.seed, self.weights = stays, rows, seed, weights
        share_of(batch_size)
        if len(rows) < world.size():
            raise ConfigError(f"{len(rows)} stays cannot be shared by {world.size()} processes")
        # A batch that all processes share equally, also of few stays.
        self.batch_size = min(batch_size, len(rows) // world.size() * world.size())
        self.lengths = stays.lengths.numpy()
        self._order: tuple[int, list[Array]] | None = None

    def __len__(self) -> int:
        return len(self.rows) // self.batch_size

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, step = key
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng((self.seed, epoch))
            rows = self.rows
            if self.weights is not None:
                rows = rng.choice(rows, len(rows), p=self.weights)
            self._order = epoch, batches_of(self.lengths, rows, self.batch_size, rng)
        return _batch(self.stays, self._order[1][step], self.seed, epoch, step)


def _batch(stays: StayRows, whole: Array, seed: int, epoch: int, step: int, *, shared: bool = True) -> Batch:
    share = len(whole) // world.size() if shared else len(whole)
    first = world.rank() * share if shared else 0
    rows = torch.from_numpy(whole[first : first + share])
    longest = int(stays.lengths[torch.from_numpy(whole)].max())
    return Batch(
        stays.stays(rows, longest), stays.target[rows], rows, Draws(seed, epoch, step, first, share, len(whole))
    )


class _Order(Sampler[tuple[int, int]]):
    """The steps of an epoch, one after another; Lightning tells the epoch."""

    def __init__(self, steps: int) -> None:
        self.steps, self.epoch = steps, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter([(self.epoch, step) for step in range(self.steps)])


def train_loader(
    stays: StayRows, rows: Array, batch_size: int, seed: int, weights: Array | None = None
) -> DataLoader[Batch]:
    """Batches of training stays; the same seed and epoch give the same ones, whatever the number of processes.

    weights: (rows,) that sum to 1: each epoch draws so, with replacement, as for rare outcomes.
    Raises ConfigError where the processes cannot share a batch.
    """
    batches = _Batches(stays, rows, batch_size, seed, weights)
    return DataLoader(batches, batch_size=None, sampler=_Order(len(batches)), num_workers=0)


class _Fixed(Dataset[Batch]):
    def __init__(self, stays: StayRows, rows: Array, batch_size: int) -> None:
        self.stays = stays
        order = rows[np.argsort(stays.lengths.numpy()[rows], kind="stable")]
        self.batches = np.array_split(order, max(-(-len(order) // batch_size), 1))

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> Batch:
        # Every process takes all of it: it is small beside the training, and so nothing has to be gathered.
        return _batch(self.stays, self.batches[step], 0, 0, step, shared=False)


def plain_loader(stays: StayRows, rows: Array, batch_size: int = 512) -> DataLoader[Batch]:
    """Stays in an order of their own, once each, with the same draws every time."""
    return DataLoader(_Fixed(stays, rows, batch_size), batch_size=None, num_workers=0)


def waste(lengths: Array, batches: list[Array]) -> float:
    """The part of the batches' steps that is padding."""
    taken = sum(int(lengths[batch].max()) * len(batch) for batch in batches)
    return 1 - sum(int(lengths[batch].sum()) for batch in batches) / taken
