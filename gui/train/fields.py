"""One editor for each type of value that the schema may hold; none of them ever loses what was typed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from gui.train.values import choice_text, number, number_text
from gui.widgets.labels import dress


class Editor(QWidget):
    """Base: edits one plain value, as YAML holds it. A value it cannot show is handed back as it came."""

    changed = Signal()
    wide = False  # below its label, with the whole width, as a path needs
    length: int | None = None  # how many values it must hold, where that is fixed

    def value(self) -> Any:
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value without `changed`."""
        raise NotImplementedError

    def set_wrong(self, wrong: bool) -> None:
        """Mark the editor as holding a wrong value."""
        dress(self.focusProxy() or self, "invalid", wrong)

    def show_planned(self, text: str) -> None:
        """Where it is empty, say what the planner would take; with no text, what emptiness means."""

    def show_columns(self, columns: Mapping[str, str]) -> None:
        """Which columns the data has, with their kinds; only editors of names of columns heed it."""

    def name_as(self, key: str, title: str, tip: str) -> None:
        """Give the widget that takes the focus its object name, accessible name and tooltip."""
        target = self.focusProxy() or self
        target.setObjectName(f"field:{key}")
        target.setAccessibleName(title)
        target.setAccessibleDescription(tip)
        target.setToolTip(tip)


class LineEditor(Editor):
    """Text in a line. Subclasses say how a value is written and read."""

    def __init__(self, *, optional: bool = False, placeholder: str = "") -> None:
        super().__init__()
        self.optional = optional
        self.placeholder = placeholder
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        self.line.textEdited.connect(self.changed)
        self.setFocusProxy(self.line)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(4)
        self.row.addWidget(self.line, 1)

    def show_planned(self, text: str) -> None:
        self.line.setPlaceholderText(f"planned: {text}" if text else self.placeholder)

    def write(self, value: Any) -> str:
        return str(value)

    def read(self, text: str) -> Any:
        return text

    def value(self) -> Any:
        text = self.line.text()
        return None if self.optional and not text.strip() else self.read(text)

    def set_value(self, value: Any) -> None:
        text = "" if value is None else self.write(value)
        if text != self.line.text():
            self.line.setText(text)


class TextEditor(LineEditor):
    """A string."""


class NumberEditor(LineEditor):
    """A whole or a decimal number; the arrow keys step it."""

    def __init__(self, kind: type, *, optional: bool = False, placeholder: str = "") -> None:
        super().__init__(optional=optional, placeholder=placeholder)
        self.kind = kind
        self.line.installEventFilter(self)

    def write(self, value: Any) -> str:
        return number_text(value)

    def read(self, text: str) -> Any:
        return number(text, self.kind)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.KeyPress and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):  # type: ignore[attr-defined]
            self._step(1 if event.key() == Qt.Key.Key_Up else -1)  # type: ignore[attr-defined]
            return True
        return super().eventFilter(watched, event)

    def _step(self, direction: int) -> None:
        value = self.read(self.line.text())
        if isinstance(value, str) or not math.isfinite(value):
            return
        if self.kind is int:
            value += direction
        else:
            # One unit of the leading digit: 0.003 -> 0.004, 20 -> 30.
            size = 10.0 ** math.floor(math.log10(abs(value))) if value else 0.1
            value = float(f"{value + direction * size:.6g}")
        self.line.setText(self.write(value))
        self.changed.emit()


class ListEditor(LineEditor):
    """Several numbers or words in one line: `16, 32, 64` or `40 x 56 x 40`."""

    def __init__(
        self,
        kind: type,
        *,
        length: int | None = None,
        optional: bool = False,
        separator: str = ", ",
        placeholder: str = "",
    ) -> None:
        super().__init__(optional=optional, placeholder=placeholder)
        self.kind, self.length, self.separator = kind, length, separator

    def write(self, value: Any) -> str:
        if not isinstance(value, list | tuple):
            return str(value)
        return self.separator.join(number_text(item) for item in value)

    def read(self, text: str) -> Any:
        if self.kind is str:
            words = [word.strip() for word in text.split(",")]
        else:
            words = re.split(r"\s*[,;×x]\s*|\s+", text.strip(" ,;[]()"))
        return [number(word, self.kind) for word in words if word]


class PairsEditor(LineEditor):
    """A table of keys and values in one line: `1: Anterior, 2: Posterior`, or with lists `whole: 1 2, core: 2`."""

    def __init__(
        self, keys: type, values: type, *, lists: bool = False, optional: bool = False, placeholder: str = ""
    ) -> None:
        super().__init__(optional=optional, placeholder=placeholder)
        self.keys, self.values, self.lists = keys, values, lists

    def write(self, value: Any) -> str:
        if not isinstance(value, dict):
            return str(value)
        if not value:
            return "{}" if self.optional else ""  # none at all, where an empty line says that it is not set
        return ", ".join(f"{number_text(key)}: {self._item_text(item)}" for key, item in value.items())

    def read(self, text: str) -> Any:
        if text.strip() == "{}":
            return {}
        pairs = [re.split(r"\s*[:=]\s*", part.strip(), maxsplit=1) for part in text.split(",") if part.strip()]
        if any(len(pair) < 2 for pair in pairs):
            return text
        return {number(key, self.keys): self._item(value) for key, value in pairs}

    def _item_text(self, item: Any) -> str:
        return " ".join(map(number_text, item)) if isinstance(item, list) else number_text(item)

    def _item(self, text: str) -> Any:
        if not self.lists:
            return number(text, self.values)
        return [number(word, self.values) for word in text.strip(" []").split()]


class PathEditor(LineEditor):
    """A file or folder, with a button that asks for it."""

    def __init__(self, *, optional: bool = False, placeholder: str = "", folder: bool = False) -> None:
        super().__init__(optional=optional, placeholder=placeholder)
        self.folder = folder
        self.button = QPushButton("Choose…")
        self.button.setProperty("role", "quiet")
        self.button.clicked.connect(self.ask)
        self.row.addWidget(self.button)

    def ask(self) -> None:
        if self.folder:
            chosen = QFileDialog.getExistingDirectory(self, "Choose a folder", self.line.text())
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Choose a file", self.line.text())
        if chosen:
            self.line.setText(chosen)
            self.changed.emit()

    def name_as(self, key: str, title: str, tip: str) -> None:
        super().name_as(key, title, tip)
        self.button.setObjectName(f"choose:{key}")
        self.button.setAccessibleName(f"Choose {title.lower()}")


class AnyEditor(LineEditor):
    """Any other value, as YAML in one line."""

    def write(self, value: Any) -> str:
        return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()

    def read(self, text: str) -> Any:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            return text


class BoolEditor(Editor):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__()
        self.box = QCheckBox()
        self.box.toggled.connect(self._toggled)
        self.setFocusProxy(self.box)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        self._foreign: Any = None

    def _toggled(self) -> None:
        self._foreign = None
        self.changed.emit()

    def value(self) -> Any:
        return self.box.isChecked() if self._foreign is None else self._foreign

    def set_value(self, value: Any) -> None:
        with QSignalBlocker(self.box):
            self.box.setChecked(value is True)
        self._foreign = None if isinstance(value, bool) else value


class Combo(QComboBox):
    """A combo that shrinks with its column and leaves the wheel to the form around it."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        event.ignore()


class ChoiceEditor(Editor):
    """One of a few values."""

    def __init__(self, choices: list[Any], *, optional: bool = False, unset: str = "") -> None:
        super().__init__()
        self.combo = Combo()
        self.unset = unset or "not set"
        if optional:
            self.combo.addItem(self.unset, None)
        for choice in choices:
            self.combo.addItem(choice_text(choice), choice)
        self._known = self.combo.count()
        self.combo.currentIndexChanged.connect(self.changed)
        self.setFocusProxy(self.combo)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.combo)

    def show_planned(self, text: str) -> None:
        if self.combo.count() and self.combo.itemData(0) is None:
            self.combo.setItemText(0, f"planned: {text}" if text else self.unset)

    def value(self) -> Any:
        return self.combo.currentData()

    def set_value(self, value: Any) -> None:
        with QSignalBlocker(self.combo):
            while self.combo.count() > self._known:
                self.combo.removeItem(self._known)
            index = next((i for i in range(self._known) if self.combo.itemData(i) == value), -1)
            if index < 0:
                self.combo.addItem(str(value), value)
                index = self._known
            self.combo.setCurrentIndex(index)


class ManyEditor(Editor):
    """Any of a few values: one box each."""

    def __init__(self, choices: list[Any]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.boxes = [(choice, QCheckBox(choice_text(choice))) for choice in choices]
        for choice, box in self.boxes:
            box.setAccessibleName(choice_text(choice))
            box.toggled.connect(self._toggled)
            row.addWidget(box)
        row.addStretch(1)
        self.setFocusProxy(self.boxes[0][1])
        self._foreign: Any = None

    def name_as(self, key: str, title: str, tip: str) -> None:
        self.setToolTip(tip)
        for choice, box in self.boxes:
            box.setObjectName(f"field:{key}:{choice}")
            box.setAccessibleName(f"{title}: {choice_text(choice)}")

    def _toggled(self) -> None:
        self._foreign = None
        self.changed.emit()

    def value(self) -> Any:
        return [choice for choice, box in self.boxes if box.isChecked()] if self._foreign is None else self._foreign

    def set_value(self, value: Any) -> None:
        known = [choice for choice, _ in self.boxes]
        shown = isinstance(value, list | tuple) and all(item in known for item in value)
        for choice, box in self.boxes:
            with QSignalBlocker(box):
                box.setChecked(shown and choice in value)
        # The order of the file is kept until a box is touched.
        self._foreign = list(value) if shown else value


def make_editor(annotation: Any, description: str = "") -> Editor:
    """The editor for a field's type."""
    members = [member for member in get_args(annotation) if member is not NoneType]
    optional = False
    if get_origin(annotation) in (Union, UnionType) and len(members) < len(get_args(annotation)):
        optional = True
        annotation = members[0] if len(members) == 1 else Any
    # A description says "empty: what it then means"; the empty field shows just that.
    found = re.search(r"\b(?:[Ee]mpty|0): ([^.;]+)", description) if optional else None
    hint = found[1] if found else ""
    # A list's members may have bounds of their own; they are checked with the whole.
    origin, arguments = get_origin(annotation), tuple(map(_bare, get_args(annotation)))
    if annotation is bool and not optional:
        return BoolEditor()
    if origin is Literal:
        return ChoiceEditor(list(arguments), optional=optional, unset=hint)
    if annotation in (int, float):
        return NumberEditor(annotation, optional=optional, placeholder=hint)
    if annotation is str:
        return TextEditor(optional=optional, placeholder=hint)
    if annotation is Path:
        return PathEditor(optional=optional, placeholder=hint, folder="folder" in description.lower())
    if origin is list and get_origin(arguments[0]) is Literal and not optional:
        return ManyEditor(list(get_args(arguments[0])))
    if origin in (list, tuple) and arguments and arguments[0] in (int, float, str):
        fixed = origin is tuple and Ellipsis not in arguments and len(set(arguments)) == 1
        return ListEditor(
            arguments[0],
            length=len(arguments) if fixed else None,
            optional=optional,
            separator=" × " if fixed and len(arguments) == 3 else ", ",
            placeholder=hint,
        )
    if origin is dict and all(argument in (int, float, str) for argument in arguments):
        return PairsEditor(*arguments, optional=optional, placeholder=hint)
    if origin is dict and get_args(arguments[1]) in ((int,), (float,), (str,)):
        return PairsEditor(arguments[0], *get_args(arguments[1]), lists=True, optional=optional, placeholder=hint)
    return AnyEditor(optional=optional, placeholder=hint)


def _bare(annotation: Any) -> Any:
    """A type without what Annotated adds to it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
