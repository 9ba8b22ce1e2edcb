"""The same work on many things, one on each core at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from core.control import JobControl

MOST = 16

Item = TypeVar("Item")
Made = TypeVar("Made")


def side_by_side(
    work: Callable[[Item, JobControl], Made], items: Sequence[Item], control: JobControl, words: str
) -> Iterator[Made]:  # fmt: skip
    """What `work` makes of each item, in their order, in threads: for work in numpy, scipy, files and compression.

    words: what is told of one, such as "Reading subject {} of {}". No more is made ahead than twice the cores.
    A cancel or a failure ends what has not begun.
    """
    workers = min(os.cpu_count() or 1, MOST)
    under_way: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for number in range(len(items)):
                control.progress(number / len(items), words.format(number + 1, len(items)))
                while len(under_way) < 2 * workers and (begun := number + len(under_way)) < len(items):
                    under_way.append(pool.submit(work, items[begun], control.silent()))
                yield under_way.popleft().result()
        finally:
            for waiting in under_way:
                waiting.cancel()
