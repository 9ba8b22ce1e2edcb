"""The rows that a tabular network sees, as tensors, and the order in which an epoch takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

Array = np.ndarray[Any, Any]

# Minibatches in one call of the engine: few enough for a stop to be felt, many enough for its cost not to be.
BLOCK = 32


@dataclass
class Rows:
    """numbers (rows, width) float32, codes (rows, columns) int64, target (rows,) int64 classes or float32 values.

    soft: a teacher's probabilities (rows, classes), where one is learned from. share: of the loss of each row that is
    the teacher's, 1 for a row that was made up and has no outcome. weight: of each row in the loss.
    """

    numbers: Tensor
    codes: Tensor
    target: Tensor
    soft: Tensor | None = None
    share: Tensor | None = None
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.target)

    @classmethod
    def of(cls, numbers: Array, codes: Array, target: Array, **more: Array | None) -> Rows:
        """Rows from arrays; those of the right type are shared, not copied."""
        extra = {name: None if of is None else torch.as_tensor(of, dtype=torch.float32) for name, of in more.items()}
        return cls(torch.from_numpy(numbers), torch.from_numpy(codes), torch.as_tensor(target), **extra)

    def take(self, index: Tensor) -> Rows:
        return Rows(*(None if t is None else t[index] for t in vars(self).values()))

    def to(self, device: torch.device) -> Rows:
        return Rows(*(None if t is None else t.to(device) for t in vars(self).values()))


class _Blocks(Dataset[list[Tensor]]):
    """The shuffled rows of an epoch as lists of minibatches; a key is (epoch, block)."""

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        self.rows, self.seed = rows, seed
        self.batch_size = min(batch_size, rows)
        # A last minibatch of a few rows would be a step of noise: it is spread over the others.
        self.batches = max(rows // self.batch_size, 1)
        self._order: tuple[int, tuple[Tensor, ...]] | None = None

    def __len__(self) -> int:
        return -(-self.batches // BLOCK)

    def __getitem__(self, key: tuple[int, int]) -> list[Tensor]:
        epoch, block = key
        if self._order is None or self._order[0] != epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.rows)
            self._order = epoch, torch.from_numpy(order).tensor_split(self.batches)
        return list(self._order[1][block * BLOCK : (block + 1) * BLOCK])


class _BlockOrder(Sampler[tuple[int, int]]):
    """The blocks of an epoch, one after another; Lightning tells the epoch."""

    def __init__(self, blocks: int) -> None:
        self.blocks, self.epoch = blocks, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.blocks

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter([(self.epoch, block) for block in range(self.blocks)])


def train_blocks(rows: int, batch_size: int, seed: int) -> DataLoader[Any]:
    """Blocks of up to BLOCK minibatches of row numbers; the same seed and epoch give the same ones."""
    blocks = _Blocks(rows, batch_size, seed)
    return DataLoader(blocks, batch_size=None, sampler=_BlockOrder(len(blocks)), num_workers=0)


def one_batch() -> DataLoader[Any]:
    """A validation of one step: the module holds its rows itself."""
    return DataLoader([0], batch_size=None, num_workers=0)
