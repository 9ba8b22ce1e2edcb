"""Counts in words."""

from __future__ import annotations

import doctest

from core import counting


def test_the_examples_hold() -> None:
    assert doctest.testmod(counting).failed == 0
