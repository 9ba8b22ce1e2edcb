"""Native code beside its caller: its result and errors come back, and a cancel does not wait for it."""

from __future__ import annotations

import threading

import pytest

from core.control import JobControl, beside
from core.errors import Cancelled


def test_what_the_work_gives_or_raises_comes_back() -> None:
    assert beside(lambda: threading.current_thread().name, JobControl()) == "native code"
    with pytest.raises(ZeroDivisionError):
        beside(lambda: 1 / 0, JobControl())


def test_a_cancel_is_felt_in_the_midst_of_the_work_and_progress_is_told_from_the_callers_thread() -> None:
    gate, control = threading.Event(), JobControl()
    told: list[str] = []

    def watch() -> None:
        told.append(threading.current_thread().name)
        control.cancel()

    with pytest.raises(Cancelled):
        beside(lambda: gate.wait(30), control, watch)
    assert told == [threading.current_thread().name]
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "native code":
            thread.join(5)
