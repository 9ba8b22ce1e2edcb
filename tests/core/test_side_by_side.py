"""Work that is done on several things at once."""

from __future__ import annotations

import os
import threading

import pytest

from core.control import JobControl
from core.errors import Cancelled
from core.side_by_side import side_by_side


def test_what_is_made_comes_in_the_order_of_the_items_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    later = threading.Event()

    def work(number: int, _control: JobControl) -> int:
        if number == 0:
            assert later.wait(10)  # others run meanwhile
        if number == 3:
            later.set()
        return number * number

    told: list[str] = []
    made = side_by_side(work, range(9), JobControl(lambda _, words: told.append(words)), "Item {} of {}")
    assert list(made) == [number * number for number in range(9)]
    assert told[0] == "Item 1 of 9" and len(told) == 9


def test_a_cancel_ends_it_with_most_of_the_work_not_begun() -> None:
    control, begun = JobControl(), []

    def work(number: int, own: JobControl) -> int:
        own.check()
        begun.append(number)
        return number

    made = side_by_side(work, range(1000), control, "{} of {}")
    assert next(made) == 0
    control.cancel()
    with pytest.raises(Cancelled):
        next(made)
    assert len(begun) < 100


def test_a_failure_is_raised_in_its_place() -> None:
    def work(number: int, _control: JobControl) -> int:
        if number == 2:
            raise OSError("gone")
        return number

    made = side_by_side(work, range(9), JobControl(), "{} of {}")
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(OSError, match="gone"):
        next(made)
