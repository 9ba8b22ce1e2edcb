"""The processes that train one network together: how many they are, which one this is, and what they tell each other.

torchrun starts them and says so in their environment. A process without it is alone: everything here then costs nothing
and imports nothing. The first process (rank 0) keeps the catalog and the files; the others only compute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
PATIENCE = timedelta(days=30)  # for the others, while the first prepares a large data set or is paused


def size() -> int:
    """How many processes train together, on all computers."""
    return _told("WORLD_SIZE", 1)


def rank() -> int:
    """The place of this process among them."""
    return _told("RANK", 0)


def local_size() -> int:
    """How many of them share this computer."""
    return _told("LOCAL_WORLD_SIZE", 1)


def first() -> bool:
    return rank() == 0


def _told(name: str, alone: int) -> int:
    return int(os.environ.get(name, alone)) if "TORCHELASTIC_RUN_ID" in os.environ else alone


@contextmanager
def joined() -> Iterator[None]:
    """Within the block the processes can talk to each other. Call it in all of them, around everything else here."""
    if size() == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    yield
    dist.destroy_process_group()  # not after an error: it would wait for processes that wait for this one


def share(value: T) -> T:
    """The first process's value, in all of them."""
    if size() == 1:
        return value
    import torch.distributed as dist

    held = [value]
    dist.broadcast_object_list(held, src=0)
    return held[0]


def share_numbers(*values: float) -> list[float]:
    """As `share`, quick enough for every step."""
    if size() == 1:
        return list(values)
    import torch
    import torch.distributed as dist

    numbers = torch.tensor(values, dtype=torch.float64)
    dist.broadcast(numbers, src=0)
    return numbers.tolist()


def mean(value: float) -> float:
    """The mean of the processes' values, in all of them."""
    if size() == 1:
        return value
    import torch
    import torch.distributed as dist

    total = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(total)
    return float(total) / size()


def gather(values: Sequence[T]) -> list[T]:
    """What all processes hold, in the order of their ranks, in all of them."""
    if size() == 1:
        return list(values)
    import torch.distributed as dist

    held: list[Any] = [None] * size()
    dist.all_gather_object(held, list(values))
    return [value for part in held for value in part]


def total(part: Tensor) -> Tensor:
    """The sum of the processes' parts in a training step's loss, so that it is the loss of the whole batch.

    Its gradient is that of this process's part times their number, since DDP takes the mean of the gradients. Without
    gradients, as in validation, where each process has cases of its own, it is the part.
    """
    if size() == 1:
        return part
    import torch
    import torch.distributed as dist

    if not torch.is_grad_enabled():
        return part
    whole = part.detach().clone()
    dist.all_reduce(whole)
    return whole + size() * (part - part.detach())


@contextmanager
def first_leads() -> Iterator[None]:
    """The first process runs the block before the others do, so that they find what it has made."""
    if not first():
        share(None)
    yield
    if first():
        share(None)
