"""What the person at the terminal is told, in plain words."""

from __future__ import annotations

import sys
import time


class SetupFailed(Exception):
    """Set-up cannot go on: the message says what, where and how to mend it."""


def clock(seconds: float) -> str:
    """
    >>> clock(75.2)
    '1:15'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Console:
    """Lines that stay, and one line that changes while something takes long."""

    # A log file has no changing line, so there the state is written out now and then.
    LOG_SECONDS = 15.0

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._changing = False
        self._written = time.monotonic()

    def say(self, text: str) -> None:
        self._end_line()
        print(text, flush=True)
        self._written = time.monotonic()

    def problem(self, text: str) -> None:
        self._end_line()
        print(text, file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        """The state of something that is going on."""
        if self._terminal:
            print(f"\r\x1b[2K  {text[:100]}", end="", flush=True)
            self._changing = True
        elif time.monotonic() - self._written >= self.LOG_SECONDS:
            self.say(f"  {text}")

    def _end_line(self) -> None:
        if self._changing:
            print("\r\x1b[2K", end="", flush=True)
            self._changing = False
