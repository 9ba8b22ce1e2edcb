"""The experiment as YAML text: the same tree as the form, with each error on its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from PySide6.QtCore import QSignalBlocker, QTimer, Signal
from PySide6.QtGui import QColor, QFontDatabase, QTextCursor, QTextFormat
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QVBoxLayout, QWidget

from core.config import read_yaml
from gui.theme import theme
from gui.widgets.labels import label

SETTLE_MS = 150


class _Dumper(yaml.SafeDumper):
    """Writes a list in one line: `[32, 48, 32]`."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
        return super().represent_sequence(tag, sequence, flow_style=True)


def to_text(tree: Mapping[str, Any]) -> str:
    """A tree as YAML for people.

    >>> print(to_text({"a": {"b": [1, 2]}}), end="")
    a:
      b: [1, 2]
    """
    text: str = yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


class YamlEditor(QWidget):
    """Editable text. `tree_changed` carries each tree that the text spells; broken text is kept and told of."""

    tree_changed = Signal(object)
    broken_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.broken = ""
        self.text = QPlainTextEdit()
        self.text.setObjectName("experiment-yaml")
        self.text.setAccessibleName("Experiment as YAML")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.message = label("", "bad")
        self.message.setObjectName("yaml-message")
        self.message.setWordWrap(True)
        self.message.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.text, 1)
        column.addWidget(self.message)
        self._lines: dict[str, int] = {}
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.read)
        self.text.textChanged.connect(self._settle.start)

    def set_tree(self, tree: dict[str, Any]) -> None:
        """Write the tree, unless the text already says the same."""
        if not self.broken and self._parsed() == tree:
            return
        with QSignalBlocker(self.text):
            self.text.setPlainText(to_text(tree))
        self._settle.stop()
        self._lines = key_lines(self.text.toPlainText())
        self._set_broken("", None)

    def _parsed(self) -> Any:
        try:
            return read_yaml(self.text.toPlainText())
        except (yaml.YAMLError, RecursionError, ValueError):
            return None

    def read(self) -> None:
        """Read the text now."""
        self._settle.stop()
        text = self.text.toPlainText()
        try:
            tree = read_yaml(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            self._set_broken(f"Line {mark.line + 1}: {problem}" if mark else problem, mark.line if mark else None)
            return
        if not isinstance(tree, dict):
            self._set_broken("An experiment is a table of keys, such as `name: first`.", 0)
            return
        self._lines = key_lines(text)
        self._set_broken("", None)
        self.tree_changed.emit(tree)

    def _set_broken(self, text: str, line: int | None) -> None:
        self._show(text, [] if line is None else [line])
        if text != self.broken:
            self.broken = text
            self.broken_changed.emit()

    def show_problems(self, problems: dict[str, str]) -> None:
        """Say what is wrong with the values, with their lines."""
        if self.broken:
            return
        found = sorted((self._line(key), key, text) for key, text in problems.items())
        self._show(
            "\n".join(f"Line {line + 1}: {key} {text}" for line, key, text in found), [line for line, _, _ in found]
        )

    def _line(self, key: str) -> int:
        while key and key not in self._lines:
            key = key.rpartition(".")[0]
        return self._lines.get(key, 0)

    def _show(self, text: str, lines: list[int]) -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))
        ground = QColor(theme().color("bad"))
        ground.setAlpha(50)
        marks = []
        for line in lines:
            mark = QTextEdit.ExtraSelection()
            mark.format.setBackground(ground)
            mark.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
            mark.cursor = QTextCursor(self.text.document().findBlockByLineNumber(line))
            marks.append(mark)
        self.text.setExtraSelections(marks)


def key_lines(text: str) -> dict[str, int]:
    """The line, counted from 0, of every dotted key of a YAML text.

    >>> key_lines("a:\\n  b: 1\\n")
    {'a': 0, 'a.b': 1}
    """
    lines: dict[str, int] = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = f"{path}.{key.value}".lstrip(".")
                lines[inner] = key.start_mark.line
                walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                lines[f"{path}.{index}"] = value.start_mark.line
                walk(value, f"{path}.{index}")

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return {}
    walk(node, "")
    return lines
