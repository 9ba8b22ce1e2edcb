"""Batches made one ahead in a thread, which leaves the network its cores."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

AHEAD = 2


class PrefetchLoader(DataLoader[Any]):
    """A DataLoader whose batches are made by one thread (processes would cost seconds to start beside a window)."""

    def __iter__(self) -> Iterator[Any]:
        batches = super().__iter__()
        ready: queue.Queue[Any] = queue.Queue(AHEAD)
        started, left = threading.Event(), threading.Event()

        def give(item: Any) -> bool:
            while not left.is_set():
                try:
                    ready.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False

        def work() -> None:
            # One thread for the small operations of a patch: a second team of threads would fight with the network's.
            torch.set_num_threads(1)
            started.set()
            try:
                for batch in batches:
                    if not give((batch, None)):
                        return
                give((None, None))
            except BaseException as error:
                give((None, error))

        threads = torch.get_num_threads()
        thread = threading.Thread(target=work, name="patches", daemon=True)
        thread.start()
        started.wait()
        torch.set_num_threads(threads)  # MKL keeps one number for all threads; the worker's OpenMP team stays small
        try:
            while True:
                batch, error = ready.get()
                if error is not None:
                    raise error
                if batch is None:
                    return
                yield batch
        finally:
            left.set()
            thread.join()
