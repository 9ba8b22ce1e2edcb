"""What the schema says of a wrong value, in a person's words: `must be 0 or more`."""

from __future__ import annotations

import re

_RULES: tuple[tuple[str, str], ...] = (
    (r"input should be greater than or equal to (\S+)$", r"must be \1 or more"),
    (r"input should be greater than (\S+)$", r"must be more than \1"),
    (r"input should be less than or equal to (\S+)$", r"must be \1 or less"),
    (r"input should be less than (\S+)$", r"must be less than \1"),
    (r"input should be a valid integer.*", "must be a whole number"),
    (r"input should be a (valid|finite) number.*", "must be a number"),
    (r"input should be a valid boolean.*", "must be yes or no"),
    (r"input should be a valid string.*", "must be text"),
    (r"input is not a valid path.*", "must be a folder or file"),
    (r"input tag .* expected tags: (.*)", r"must be one of \1"),
    (r"unable to extract tag.*", "needs a name that says which one it is"),
    (r"input should be a valid dictionary or .*", "must be a block of keys"),
    (r"input should be a valid dictionary.*", "must be pairs such as 1: name"),
    (r"input should be a valid (list|tuple).*", "must be a list of values"),
    (r"input should be ('.*'|\d+)$", r"must be \1"),
    (r"(?:list|tuple) should have at least (\d+) items? .*", r"needs at least \1 values"),
    (r"(?:list|tuple) should have at most (\d+) items? .*", r"takes at most \1 values"),
    (r"string should have at least \d+ characters?.*", "must not be empty"),
    (r"string should have at most (\d+) characters?.*", r"must be at most \1 characters long"),
    (r"string should match pattern.*", "may hold letters, digits, space and . + - _ only"),
    (r"field required", "must be given"),
    (r"value error, (.*)", r"\1"),
)


def plain(message: str) -> str:
    """The message of one wrong value, reworded.

    >>> plain("input should be greater than or equal to 0")
    'must be 0 or more'
    """
    for pattern, words in _RULES:
        found = re.match(pattern, message, flags=re.DOTALL)
        if found:
            return found.expand(words).replace("'", "")
    return message
