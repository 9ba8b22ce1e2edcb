"""What of the data one of several processes takes, so that all together see what one process would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import Sampler

from core import world
from core.errors import ConfigError


class ShareOfBatches(Sampler[Any]):
    """This process's part of every batch of an order; a batch at the end that is not whole is left out."""

    def __init__(self, order: Any, batch_size: int) -> None:
        self.order, self.whole = order, batch_size
        self.batch_size = share_of(batch_size)
        if len(order) < batch_size:
            raise ConfigError(
                f"an epoch has {len(order)} samples, which several processes cannot share as batches of {batch_size}",
                mend="Raise trainer.patches_per_case, lower trainer.batch_size, or use one process.",
            )

    def set_epoch(self, epoch: int) -> None:
        self.order.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.order) // self.whole * self.batch_size

    def __iter__(self) -> Iterator[Any]:
        keys = list(self.order)
        for start in range(world.rank() * self.batch_size, len(keys) // self.whole * self.whole, self.whole):
            yield from keys[start : start + self.batch_size]


def share_of(batch_size: int) -> int:
    """How much of a batch each process takes. Raises ConfigError where the parts would not be equal."""
    if batch_size % world.size():
        raise ConfigError(
            f"a batch of {batch_size} cannot be shared by {world.size()} processes",
            mend=f"Make trainer.batch_size a multiple of {world.size()}: it counts the samples of all of them.",
        )
    return batch_size // world.size()


def cases_of_this_process(ids: Sequence[str]) -> list[str]:
    """The cases that this process validates: never none, since each takes part in the metrics."""
    return list(ids[world.rank() :: world.size()] or ids[:1])
