"""A MONAI bundle's configuration as data: references are looked up, expressions are refused, nothing is evaluated.

MONAI reads "@key" as the part under that key, "%key" as a copy of it, and "$..." as Python to be run. Here only a few
exact forms of the latter are known, each replaced by what it stands for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from core.errors import ModelError

Refuse = Callable[..., ModelError]
TARGET = "_target_"
_MAX_DEPTH = 32
_MAX_VALUES = 20_000
_KEY = r"[@%][\w#:]+"
FLOAT32, POSITIVE = "float32", "above 0"
_FORMS: dict[str, Any] = {
    **dict.fromkeys(("torch.float32", "torch.float", "np.float32", "numpy.float32"), FLOAT32),
    **dict.fromkeys(("lambda x: x > 0", "lambda x: x>0", "lambda x: x > 0.0"), POSITIVE),
}


class BundleConfig:
    """The tree of an inference or train configuration."""

    def __init__(self, tree: dict[str, Any], name: str, refuse: Refuse) -> None:
        self.name = name
        self._tree = tree
        self._refuse = refuse
        self._seen = 0

    def has(self, key: str) -> bool:
        return key in self._tree

    def part(self, key: str) -> Any:
        """What stands under a key, its own reference followed but not those inside. Raises ModelError: not there."""
        return self.follow(self._at(key))

    def follow(self, value: Any, depth: int = 0) -> Any:
        """A value, or what it refers to: "@key", "%key", "$@key.to(@device)", and lists added with "$@a + @b"."""
        self._count(depth)
        if not isinstance(value, str):
            return value
        text = value.strip()
        if re.fullmatch(_KEY, text):
            return self.follow(self._at(text[1:]), depth + 1)
        if moved := re.fullmatch(rf"\$({_KEY})\.to\({_KEY}\)", text):
            return self.follow(moved[1], depth + 1)
        if re.fullmatch(rf"\${_KEY}(\s*\+\s*{_KEY})*", text):
            found = [self.follow(one.strip(), depth + 1) for one in text[1:].split("+")]
            if len(found) == 1:
                return found[0]
            if not all(isinstance(one, list) for one in found):
                raise self._refuse(f"{self.name} adds what are no lists: {text[:120]!r}")
            return [value for one in found for value in one]
        if text.startswith(("@", "%")):
            raise self._refuse(f"{self.name} refers to {text[:120]!r}, which is no part of it")
        return value

    def plain(self, value: Any, of: str, depth: int = 0) -> Any:
        """A value with every reference in it followed: numbers, words, lists and tables. Raises ModelError for code."""
        value = self.follow(value, depth)
        if isinstance(value, dict):
            if TARGET in value:
                raise self._refuse(f"{of} is a call of {str(value[TARGET])[:120]!r}, where a plain value is expected")
            return {str(key): self.plain(one, of, depth + 1) for key, one in value.items()}
        if isinstance(value, list):
            return [self.plain(one, of, depth + 1) for one in value]
        if isinstance(value, str) and value.strip().startswith("$"):
            return self._known(value.strip()[1:].strip(), of)
        return value

    def _known(self, code: str, of: str) -> Any:
        if code in _FORMS:
            return _FORMS[code]
        try:
            return _listed(ast.literal_eval(code))  # numbers, words and lists of them; it runs nothing
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            raise self._refuse(
                f"{of} is an expression that would be run ({code[:120]!r})",
                "Write its value in the bundle's configuration instead.",
            ) from None

    def _at(self, key: str) -> Any:
        value: Any = self._tree
        for name in re.split(r"::|#", key):
            value = self.follow(value, 1) if isinstance(value, str) else value
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            else:
                raise self._refuse(f"{self.name} has no part {key[:120]!r}")
        return value

    def _count(self, depth: int) -> None:
        self._seen += 1
        if depth > _MAX_DEPTH or self._seen > _MAX_VALUES:
            raise self._refuse(f"{self.name} refers to itself, or is too large")


def _listed(value: Any) -> Any:
    return [_listed(one) for one in value] if isinstance(value, list | tuple) else value
