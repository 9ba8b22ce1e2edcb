"""The form of a whole experiment, made from its pydantic class: a section for each block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from gui.train.blocks import AnyBlock, BlockForm, MakeEditor, title_of
from gui.train.fields import Editor
from gui.widgets.labels import section


class ExperimentForm(QWidget):
    """The whole experiment, a section for each block, the task's own settings last."""

    changed = Signal()

    def __init__(self, part: type[BaseModel], *, custom: Mapping[str, MakeEditor] | None = None) -> None:
        super().__init__()
        self.setObjectName("experiment-form")
        self._planned: dict[str, str] = {}
        self._columns: dict[str, str] = {}
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.root = BlockForm(part, custom=custom)
        self.root.changed.connect(self.changed)
        self.root.grown.connect(self._tell_all)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        titles: dict[str, QLabel] = {}
        column.addWidget(self.root)
        for name in sorted(self.root.blocks, key=lambda name: name == "task"):
            titles[name] = section(part.model_fields[name].title or title_of(name))
            titles[name].setContentsMargins(0, 12, 0, 0)
            column.addWidget(titles[name])
            column.addWidget(self.root.blocks[name])
        column.addStretch(1)

    def tree(self) -> dict[str, Any]:
        value = self.root.value()
        return value if isinstance(value, dict) else {}

    def set_tree(self, tree: Mapping[str, Any]) -> None:
        self.root.set_value(tree)

    def show_problems(self, problems: dict[str, str]) -> None:
        self.root.show_problems(problems)

    def show_planned(self, values: Mapping[str, str]) -> None:
        """Say in the empty fields at these dotted keys what is planned; every other one of before is put back."""
        for key in self._planned.keys() - values.keys():
            if (editor := self._there(key)) is not None:
                editor.show_planned("")
        self._planned = dict(values)
        self._tell_planned()

    def show_columns(self, columns: Mapping[str, str]) -> None:
        """Tell the fields that hold names of columns which there are, with the kind of each."""
        if dict(columns) != self._columns:
            self._columns = dict(columns)
            self._tell_columns()

    def _tell_all(self) -> None:
        """Editors that were just made do not know yet what was told to the others."""
        self._tell_planned()
        self._tell_columns()

    def _tell_planned(self) -> None:
        for key, text in self._planned.items():
            if (editor := self._there(key)) is not None:
                editor.show_planned(text)

    def _tell_columns(self) -> None:
        for editor in self.findChildren(Editor):
            editor.show_columns(self._columns)

    def add_below(self, block: str, name: str, widget: QWidget) -> None:
        """Put a widget of another kind under a field of a top-level block."""
        form = self.root.blocks[block]
        if isinstance(form, BlockForm):
            column = form.rows[name].parentWidget().layout()
            if isinstance(column, QVBoxLayout):
                column.insertWidget(column.indexOf(form.rows[name]) + 1, widget)

    def editor(self, key: str) -> Editor | None:
        """The editor at a dotted key, such as `optimizer.lr`, made if need be; None where there is no such field."""
        found: Editor | AnyBlock | None = self.root
        for part in key.split("."):
            found = None if found is None or isinstance(found, Editor) else found.named(part)
        return found if isinstance(found, Editor) else None

    def _there(self, key: str) -> Editor | None:
        """As `editor`, but only one that was made already."""
        block: AnyBlock | Editor | None = self.root
        for part in key.split("."):
            if block is None or isinstance(block, Editor) or not block.shown(part):
                return None
            block = block.named(part)
        return block if isinstance(block, Editor) else None

    def blocks(self) -> Iterator[BlockForm]:
        """All blocks that were made, the experiment itself first."""
        yield from self.findChildren(BlockForm)
