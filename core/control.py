"""How long work reports its progress and learns that it was cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from core.errors import Cancelled

T = TypeVar("T")
NATIVE = "native code"  # the name of threads that may be left in the midst of it

ProgressListener = Callable[[float | None, str], None]


def _ignore(_fraction: float | None, _message: str) -> None:
    pass


@dataclass
class JobControl:
    """Handed to every long function of the core; safe to share between threads.

    `listener` receives a fraction in 0..1 (None: unknown) and a sentence that says what is being done.
    """

    listener: ProgressListener = _ignore
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        """Ask the work to end at its next check."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the user asked for it. Call it at least every 0.2 s of work."""
        if self._cancelled.is_set():
            raise Cancelled

    def progress(self, fraction: float | None, message: str) -> None:
        """Report how far the work is, then check for a cancel."""
        self.check()
        self.listener(fraction, message)

    def silent(self) -> JobControl:
        """A control for work whose own progress is not shown; a cancel reaches both."""
        return JobControl(_cancelled=self._cancelled)

    def saying(self, message: str) -> JobControl:
        """A control for work that reports only how far it is; a cancel reaches both."""
        return JobControl(lambda fraction, _: self.listener(fraction, message), self._cancelled)

    def naming(self, what: str, fraction: float | None) -> JobControl:
        """A control for one of several pieces of work: it names the piece, and how far they all are; cancels as one."""
        return JobControl(lambda _, message: self.listener(fraction, f"{what}: {message}"), self._cancelled)

    def part(self, start: float, end: float) -> JobControl:
        """A control for one step of the work, whose 0..1 fills `start`..`end` here; a cancel reaches both."""

        def scaled(fraction: float | None, message: str) -> None:
            self.listener(None if fraction is None else start + (end - start) * fraction, message)

        return JobControl(scaled, self._cancelled)


def beside(work: Callable[[], T], control: JobControl, watch: Callable[[], None] = lambda: None) -> T:
    """Run native code that releases Python's lock in a thread of its own, so that a cancel is felt in its midst.

    watch: called every 50 ms from the calling thread, to report how far the work is. After a cancel the thread is left
    to end by itself: the work has to end soon then, and to hold nothing that is used again.
    Raises what the work raises, or Cancelled.
    """
    ended = threading.Event()
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # handed to the caller
            failed.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, name=NATIVE, daemon=True).start()
    while not ended.wait(0.05):
        control.check()
        watch()
    if failed:
        raise failed[0]
    return found[0]
