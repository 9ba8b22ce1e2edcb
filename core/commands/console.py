"""What the commands say: answers on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from core.control import JobControl


def answer(text: str) -> None:
    """One line of the answer, on stdout."""
    sys.stdout.write(_printable(text, sys.stdout) + "\n")


def answer_json(value: dict[str, Any]) -> None:
    """The answer as one JSON object on stdout; numbers that JSON cannot hold become null."""
    text = json.dumps(plain_values(value), ensure_ascii=False)
    # A Windows pipe holds few letters; JSON has escapes of its own for the others, and for names that are not Unicode.
    answer(text if text == _printable(text, sys.stdout) else json.dumps(plain_values(value)))


def say(text: str) -> None:
    """A line for the person, on stderr."""
    sys.stderr.write(_printable(text, sys.stderr) + "\n")
    sys.stderr.flush()


def table(rows: Iterable[Sequence[Any]], head: Sequence[str]) -> str:
    """Left-aligned columns under their names."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def when(seconds: float | None) -> str:
    """A time as people write it, or "" where there is none."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


LINE_SECONDS, LINE_SHARE = 5.0, 0.1  # between lines of a counted step where there is no terminal


class Progress:
    """Shows a job's progress on stderr: one line that is written over on a terminal, else a line for each new step.

    Of a step that counts ("Checking case_7 (8 of 208)"), a log without a terminal gets a line each few seconds or each
    tenth of the work, whichever comes first, not one for each case.
    """

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._last = ""
        self._said = ""  # the first word of the last line, and when and how far on it was said
        self._said_at = self._said_share = 0.0

    def control(self) -> JobControl:
        return JobControl(self._listen)

    def _listen(self, fraction: float | None, message: str) -> None:
        if self._on_terminal:
            share = "    " if fraction is None else f"{100 * fraction:3.0f}%"
            sys.stderr.write(_printable(f"\r\x1b[K{share} {message}"[:200], sys.stderr))
            sys.stderr.flush()
        elif message != self._last and self._is_due(fraction, message):
            say(message)
        self._last = message

    def _is_due(self, fraction: float | None, message: str) -> bool:
        """Whether a line is said: each step's first, then one each so many seconds or so much of the work."""
        step, now = message.partition(" ")[0], time.monotonic()
        share = self._said_share if fraction is None else fraction
        further = share - self._said_share >= LINE_SHARE or share < self._said_share
        due = step != self._said or further or now - self._said_at >= LINE_SECONDS
        if due:
            self._said, self._said_at, self._said_share = step, now, share
        return due

    def end(self) -> None:
        """Clear the line, so that what follows stands by itself."""
        if self._on_terminal and self._last:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._last = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _printable(text: str, stream: TextIO) -> str:
    """The text with escapes for the letters that the stream cannot hold."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def plain_values(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are none become null, and what is no plain value its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    return value if isinstance(value, str | int | bool | None) else str(value)
