"""Batches made ahead in threads, which leaves the network its cores."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from core import world

AHEAD = 2
MOST_MAKERS = 12


def makers(device: str) -> int:
    """How many threads make batches for a network on `device`: one beside a CPU's, most cores beside a GPU's."""
    if device == "cpu" or not torch.cuda.is_available():
        return 1
    return max(min((os.cpu_count() or 1) // world.local_size() - 2, MOST_MAKERS), 1)


class PrefetchLoader(DataLoader[Any]):
    """A DataLoader whose batches are made by threads (processes would cost seconds to start beside a window).

    device: the trainer's; one thread makes the batches of a CPU, several those of a GPU, in memory that it copies from
    while it works. The batches and their order are the same however many threads there are.
    """

    def __init__(self, dataset: Any, *, device: str = "cpu", **how: Any) -> None:
        super().__init__(dataset, **how)
        self.makers = makers(device)

    def __iter__(self) -> Iterator[Any]:
        threads = torch.get_num_threads()
        started = threading.Barrier(self.makers + 1)

        def begin() -> None:
            # One thread for the small operations of a patch: a second team of threads would fight with the network's.
            torch.set_num_threads(1)
            started.wait()

        ready: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.makers, "patches") as pool:
            for _ in range(self.makers):
                pool.submit(begin)
            started.wait()
            torch.set_num_threads(threads)  # MKL keeps one number for all threads; the workers' OpenMP teams stay small
            try:
                for keys in self.batch_sampler or ():
                    ready.append(pool.submit(self._made, keys))
                    if len(ready) > AHEAD + self.makers - 1:
                        yield ready.popleft().result()
                while ready:
                    yield ready.popleft().result()
            finally:
                for batch in ready:
                    batch.cancel()

    def _made(self, keys: list[Any]) -> Any:
        batch = self.collate_fn([self.dataset[key] for key in keys])
        if self.makers > 1 and isinstance(batch, dict):
            return {name: part.pin_memory() if isinstance(part, Tensor) else part for name, part in batch.items()}
        return batch
