"""How values are written in a line of text, and read from one."""

from __future__ import annotations

import re
from typing import Any


def choice_text(choice: Any) -> str:
    return str(choice).replace("_", " ")


def number_text(value: Any) -> str:
    """
    >>> number_text(3e-05), number_text(15.0), number_text(0.001), number_text("abc")
    ('3e-5', '15', '0.001', 'abc')
    """
    if isinstance(value, float):
        return re.sub(
            r"e([+-])0*(\d)", lambda found: f"e{found[1].strip('+')}{found[2]}", repr(value).removesuffix(".0")
        )
    return str(value)


def number(text: str, kind: type) -> Any:
    """The number a text stands for, or the text itself when it stands for none."""
    try:
        return kind(text.strip())
    except ValueError:
        return text
