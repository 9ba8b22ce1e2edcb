"""What the settings change of the preset they began from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from gui.train.values import number_text
from gui.widgets.labels import label


def flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The values of a tree by dotted key; a list is one value.

    >>> flat({"a": {"b": [1, 2]}, "c": 3})
    {'a.b': [1, 2], 'c': 3}
    """
    values: dict[str, Any] = {}
    for key, value in tree.items():
        inner = f"{path}.{key}".lstrip(".")
        values.update(flat(value, inner) if isinstance(value, Mapping) else {inner: value})
    return values


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, with both values; None where a key is missing."""
    old, new = flat(before), flat(after)
    return {
        key: (old.get(key), new.get(key))
        for key in [*new, *(k for k in old if k not in new)]
        if old.get(key) != new.get(key)
    }


def value_text(value: Any) -> str:
    if value is None or value == "":
        return "empty"
    if isinstance(value, list):
        return ", ".join(number_text(item) for item in value) or "none"
    return {True: "yes", False: "no"}.get(value, number_text(value)) if isinstance(value, bool) else number_text(value)


class ChangesView(QScrollArea):
    """The changed keys, old value and new, each with a button that puts the old one back."""

    restore_requested = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("changes")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._shown: dict[str, tuple[Any, Any]] | None = None

    def show_changes(self, changes: dict[str, tuple[Any, Any]], preset: str) -> None:
        if changes == self._shown:
            return
        self._shown = changes
        body = QWidget()
        body.setProperty("role", "scrolled")
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 12, 8, 0)
        column.setSpacing(12)
        base = f"the preset {preset}" if preset else "the defaults"
        column.addWidget(
            label(f"Changed from {base}:" if changes else f"Everything is as in {base}.", "dim", wrap=True)
        )
        for key, (old, new) in changes.items():
            grid = QGridLayout()
            grid.setColumnStretch(0, 1)
            grid.setVerticalSpacing(2)
            grid.addWidget(label(key, "strong"), 0, 0)
            values = label(f"{value_text(old)}  →  {value_text(new)}", "dim")
            values.setWordWrap(True)
            grid.addWidget(values, 1, 0)
            back = QPushButton("Put back")
            back.setProperty("role", "quiet")
            back.setObjectName(f"restore:{key}")
            back.setAccessibleName(f"Put back {key}")
            back.clicked.connect(lambda _=False, k=key, v=old: self.restore_requested.emit(k, v))
            grid.addWidget(back, 0, 1, 2, 1)
            column.addLayout(grid)
        column.addStretch(1)
        self.setWidget(body)
