"""Editors of settings that hold names of a table's columns: chosen from those there are, once they are known."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.train.fields import Combo, Editor
from gui.widgets import button, label

SHOWN = 3  # columns that are named on a button; of more, their number
DIALOG_SIZE = (520, 560)


def column_editor(field: FieldInfo, tip: str) -> Editor | None:
    """The editor of a field that says it holds names of columns; None for any other."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or extra.get("of") != "columns":
        return None
    origin, members = get_origin(field.annotation), get_args(field.annotation)
    if origin is list:
        return ColumnsEditor(tip, field.title or "Columns")
    if origin is dict and get_origin(members[1]) is Literal:
        return KindsEditor(tip, [str(kind) for kind in get_args(members[1])])
    optional = NoneType in members
    return ColumnEditor(optional=optional, empty=str(extra.get("empty", "none" if optional else "choose a column")))


class ColumnEditor(Editor):
    """One column by its name: typed or chosen."""

    def __init__(self, *, optional: bool, empty: str) -> None:
        """empty: what an empty field means."""
        super().__init__()
        self.optional = optional
        self.combo = Combo()
        self.combo.setEditable(True)
        self.combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.combo.lineEdit().setPlaceholderText(empty)
        completer = QCompleter(self.combo.model(), self.combo)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.combo.setCompleter(completer)
        self.combo.setMaxVisibleItems(20)
        self.combo.currentTextChanged.connect(self.changed)
        self.setFocusProxy(self.combo)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.combo)

    def value(self) -> Any:
        text = self.combo.currentText()
        return None if self.optional and not text else text

    def set_value(self, value: Any) -> None:
        text = "" if value is None else str(value)
        if text != self.combo.currentText():
            with QSignalBlocker(self.combo):
                self.combo.setCurrentIndex(self.combo.findText(text))
                self.combo.setEditText(text)

    def show_columns(self, columns: Mapping[str, str]) -> None:
        text = self.combo.currentText()
        with QSignalBlocker(self.combo):
            self.combo.clear()
            self.combo.addItems(list(columns))
            self.combo.setCurrentIndex(self.combo.findText(text))
            self.combo.setEditText(text)


class _OfMany(Editor):
    """Base: a button that says what is set and opens a list of all columns."""

    def __init__(self, tip: str) -> None:
        super().__init__()
        self._tip = tip
        self._columns: dict[str, str] = {}
        self._value: Any = self._none()
        self.button = QPushButton()
        self.button.setStyleSheet("text-align: left;")
        self.button.clicked.connect(self.ask)
        self.setFocusProxy(self.button)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button)
        self._show()

    def _none(self) -> Any:
        raise NotImplementedError

    def _names(self) -> list[str]:
        return [str(name) for name in self._value] if isinstance(self._value, list | dict) else []

    def value(self) -> Any:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = value
        self._show()

    def show_columns(self, columns: Mapping[str, str]) -> None:
        self._columns = dict(columns)

    def _show(self) -> None:
        names = self._names()
        shown = ", ".join(names) if len(names) <= SHOWN else f"{len(names)} columns"
        self.button.setText((shown if len(shown) <= 24 else f"{len(names)} columns") or "none")
        self.button.setToolTip("\n".join([self._tip, *names[:30]]))

    def ask(self) -> None:
        """Show the columns to choose among."""
        dialog = self._dialog()
        dialog.taken.connect(self._take)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _dialog(self) -> ColumnsDialog:
        raise NotImplementedError

    def _take(self, value: Any) -> None:
        self.set_value(value)
        self.changed.emit()


class ColumnsEditor(_OfMany):
    """Any of the columns."""

    def __init__(self, tip: str, title: str) -> None:
        self._title = title
        super().__init__(tip)

    def _none(self) -> Any:
        return []

    def _dialog(self) -> ColumnsDialog:
        return ColumnsDialog(self._columns, set(self._names()), [], self._title, self)


class KindsEditor(_OfMany):
    """What columns hold, where the guess is wrong."""

    def __init__(self, tip: str, kinds: list[str]) -> None:
        self._kinds = kinds
        super().__init__(tip)

    def _none(self) -> Any:
        return {}

    def _dialog(self) -> ColumnsDialog:
        set_ = self._value if isinstance(self._value, dict) else {}
        return ColumnsDialog(self._columns, set_, self._kinds, "What the columns hold", self)


class ColumnsDialog(QDialog):
    """All columns, found by a word: with a box each, or with a choice of kinds."""

    taken = Signal(object)  # a list of names, or kinds by name

    def __init__(
        self, columns: Mapping[str, str], chosen: Any, kinds: list[str], title: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("columns-dialog")
        self.setWindowTitle(title)
        self.resize(*DIALOG_SIZE)
        gone = [name for name in chosen if name not in columns]
        self._names = [*columns, *gone]
        self._guessed, self._kinds = dict(columns), kinds
        self.search = QLineEdit()
        self.search.setObjectName("columns-search")
        self.search.setAccessibleName("Find a column")
        self.search.setPlaceholderText("Find a column")
        self.search.textChanged.connect(self._filter)
        self.table = QTableWidget(len(self._names), 2)
        self.table.setTabKeyNavigation(False)
        self.table.setObjectName("columns-table")
        self.table.setAccessibleName(title)
        self.table.setHorizontalHeaderLabels(["Column", "Holds"])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.setColumnWidth(0, 300)
        self._choices: dict[str, QComboBox] = {}
        for row, name in enumerate(self._names):
            item = QTableWidgetItem(name)
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
            if not kinds:
                item.setCheckState(Qt.CheckState.Checked if name in chosen else Qt.CheckState.Unchecked)
            self.table.setItem(row, 0, item)
            if kinds:
                self.table.setCellWidget(row, 1, self._choice(name, chosen.get(name)))
            else:
                told = QTableWidgetItem(columns.get(name, "not in the table"))
                told.setFlags(told.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, 1, told)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(button("Cancel", "columns-cancel", self.reject))
        buttons.addWidget(button("Use these", "columns-take", self._accept, role="primary"))
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        if not self._names:
            column.addWidget(label("The columns are known once a table is chosen.", "dim", wrap=True))
        column.addWidget(self.search)
        column.addWidget(self.table, 1)
        column.addLayout(buttons)

    def _choice(self, name: str, kind: Any) -> QComboBox:
        combo = Combo()
        combo.setAccessibleName(f"What {name} holds")
        combo.setObjectName(f"kind:{name}")
        read = self._guessed.get(name, "not in the table")
        combo.addItem("as read" if kind else f"{read} (as read)", None)
        for one in self._kinds:
            combo.addItem(one, one)
        combo.setCurrentIndex(max(combo.findData(kind), 0) if kind else 0)
        self._choices[name] = combo
        return combo

    def _filter(self, text: str) -> None:
        for row, name in enumerate(self._names):
            self.table.setRowHidden(row, text.lower() not in name.lower())

    def _accept(self) -> None:
        self.accept()
        if self._kinds:
            found = {name: combo.currentData() for name, combo in self._choices.items()}
            self.taken.emit({name: kind for name, kind in found.items() if kind})
        else:
            ticked = (self.table.item(row, 0).checkState() == Qt.CheckState.Checked for row in range(len(self._names)))
            self.taken.emit([name for name, on in zip(self._names, ticked, strict=True) if on])
