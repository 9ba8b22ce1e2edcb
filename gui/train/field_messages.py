"""Which message belongs under a field of the form."""

from __future__ import annotations


def message_for(problems: dict[str, str], key: str, *, length: int | None = None) -> str:
    """What is wrong with the field at a dotted key, its list members included; empty when nothing is.

    length: how many values the field must hold, where that is fixed.
    """
    if key in problems:
        return f"needs {length} values" if length and problems[key].endswith("values") else problems[key]
    for path, text in problems.items():
        member = path.removeprefix(f"{key}.")
        if member != path and member.isdigit():
            if length and text == "must be given":
                return f"needs {length} values"
            return f"value {int(member) + 1} {text}"
    return ""
