"""Counts in words."""

from __future__ import annotations


def counted(count: int, one: str, more: str = "") -> str:
    """A number with the word for what is counted; more: the word for several, where it is not `one` and an s.

    >>> counted(1, "row"), counted(12_000, "row"), counted(0, "category", "categories")
    ('1 row', '12,000 rows', '0 categories')
    """
    return f"{count:,} {one if count == 1 else more or one + 's'}"
