"""One case's values as a list in groups: typed, chosen, pasted or read from a file; what is odd is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.context import AppContext
from gui.theme import theme
from gui.values.fields import FAR, ValueField, pasted, read_values
from gui.widgets import button, label

NAME, VALUE, RANGE = range(3)
WIDTHS = {VALUE: 64, RANGE: 132}
FILES = "Values (*.csv *.tsv *.xlsx *.parquet *.json);;All files (*)"
MOST_NAMED = 4
Index = QModelIndex | QPersistentModelIndex


class _Tree(QTreeWidget):
    """Typing edits the value of the row in front; paste takes a spreadsheet's cells."""

    pasted = Signal(str)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.matches(QKeySequence.StandardKey.Paste):
            self.pasted.emit(QGuiApplication.clipboard().text())
            return
        item = self.currentItem()
        if item is not None and item.parent() is not None and self.currentColumn() != VALUE:
            self.setCurrentItem(item, VALUE)
        super().keyPressEvent(event)


class _Editors(QStyledItemDelegate):
    """Only the values are edited: words are chosen, all else is typed."""

    def __init__(self, form: ValuesForm) -> None:
        super().__init__(form)
        self._form = form

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget | None:  # type: ignore[override]  # noqa: N802
        if index.column() != VALUE:
            return None
        field = self._form.field_named(index.siblingAtColumn(NAME).data(Qt.ItemDataRole.UserRole))
        if field is None or not field.words:
            return super().createEditor(parent, option, index)
        combo = QComboBox(parent)
        combo.setObjectName("value-choice")
        combo.setAccessibleName(field.title)
        combo.setEditable(field.other_words)
        combo.addItems(["", *field.words])
        combo.view().setMinimumWidth(combo.view().sizeHintForColumn(0) + 24)
        combo.activated.connect(lambda: (self.commitData.emit(combo), self.closeEditor.emit(combo)))
        return combo

    def setEditorData(self, editor: QWidget, index: Index) -> None:  # noqa: N802 - Qt's name
        if isinstance(editor, QComboBox):
            editor.setCurrentText(str(index.data() or ""))
        else:
            super().setEditorData(editor, index)

    def setModelData(self, editor: QWidget, model: Any, index: Index) -> None:  # noqa: N802 - Qt's name
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentText())
        else:
            super().setModelData(editor, model, index)


class ValuesForm(QWidget):
    """`values` are those that can be read; `changed` at each edit."""

    changed = Signal()

    def __init__(self, context: AppContext, name: str, title: str, range_title: str) -> None:
        """name: that the widgets' own begin with; title: of the list; range_title: what the ranges are."""
        super().__init__()
        self.setObjectName(f"{name}-form")
        self._context = context
        self._fields: list[ValueField] = []
        self._items: dict[str, QTreeWidgetItem] = {}
        self.search = QLineEdit()
        self.search.setObjectName(f"{name}-search")
        self.search.setAccessibleName("Find a value")
        self.search.setPlaceholderText("Find a value")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.tree = _Tree()
        self.tree.setObjectName(f"{name}-values")
        self.tree.setAccessibleName(title)
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["Value", "", range_title])
        self.tree.setRootIsDecorated(True)
        self.tree.setIndentation(8)
        self.tree.setUniformRowHeights(True)
        self.tree.setItemDelegate(_Editors(self))
        self.tree.setEditTriggers(
            QTreeWidget.EditTrigger.DoubleClicked
            | QTreeWidget.EditTrigger.AnyKeyPressed
            | QTreeWidget.EditTrigger.SelectedClicked
        )
        head = self.tree.header()
        head.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS.items():
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            head.resizeSection(column, width)
        head.setStretchLastSection(False)
        self.tree.itemChanged.connect(self._edited)
        self.tree.pasted.connect(self.paste)
        self._cleared: dict[str, str] = {}
        theme().changed.connect(self._judge)
        self.clear_button = button("Clear", f"{name}-clear", self._clear_or_undo, role="quiet")
        self.told = label("", "small", wrap=True)
        self.told.setObjectName(f"{name}-told")
        row = QHBoxLayout()
        row.setSpacing(8)
        paste = button("Paste", f"{name}-paste", self._paste, tip="Names and values from a spreadsheet (Ctrl+V)")
        row.addWidget(self.search, 1)
        row.addWidget(paste)
        row.addWidget(button("Open…", f"{name}-open", self._ask, tip="A table's first row, or a JSON file"))
        row.addWidget(self.clear_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self.tree, 1)
        column.addWidget(self.told)

    def show_fields(self, fields: Sequence[ValueField]) -> None:
        """The values of another model; what was typed stays where the names are the same."""
        kept = self.texts()
        self._fields = list(fields)
        with QSignalBlocker(self.tree):
            self.tree.clear()
            self._items = {}
            groups: dict[str, QTreeWidgetItem] = {}
            for field in self._fields:
                if field.group not in groups:
                    groups[field.group] = QTreeWidgetItem([field.group])
                    groups[field.group].setFlags(Qt.ItemFlag.ItemIsEnabled)
                    self.tree.addTopLevelItem(groups[field.group])
                    groups[field.group].setFirstColumnSpanned(True)
                plausible = f"{field.range_text} {field.unit}".strip()
                item = QTreeWidgetItem([field.title, kept.get(field.name, ""), plausible])
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable)
                item.setTextAlignment(VALUE, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(NAME, field.title)
                item.setToolTip(RANGE, plausible)
                item.setData(NAME, Qt.ItemDataRole.UserRole, field.name)
                groups[field.group].addChild(item)
                self._items[field.name] = item
            self.tree.expandAll()
        self._judge()

    def field_named(self, name: str) -> ValueField | None:
        return next((field for field in self._fields if field.name == name), None)

    def texts(self) -> dict[str, str]:
        """What is written, by name."""
        return {name: item.text(VALUE) for name, item in self._items.items() if item.text(VALUE).strip()}

    @property
    def values(self) -> dict[str, float]:
        """The numbers, by name."""
        read = {field.name: field.read(self._items[field.name].text(VALUE))[0] for field in self._fields}
        return {name: value for name, value in read.items() if value is not None}

    @property
    def readable(self) -> dict[str, str]:
        """What is written, by name, where it can be read."""
        return {name: self._items[name].text(VALUE).strip() for name in self.values}

    def set_texts(self, texts: dict[str, str]) -> None:
        """Write these values; the others stay."""
        with QSignalBlocker(self.tree):
            for name, text in texts.items():
                if name in self._items:
                    self._items[name].setText(VALUE, text)
        self._judge()
        self.changed.emit()

    def _clear_or_undo(self) -> None:
        """Take all values away; while the form is empty, put them back."""
        kept = self.texts()
        if kept:
            self.clear()
            self._cleared = kept
            self._show_clear()
        else:
            self.set_texts(self._cleared)

    def _show_clear(self) -> None:
        undo = bool(self._cleared) and not self.texts()
        self.clear_button.setText("Undo" if undo else "Clear")
        self.clear_button.setAccessibleName("Put the cleared values back" if undo else "Clear all values")
        self.clear_button.setEnabled(undo or bool(self.texts()))

    def clear(self) -> None:
        self.set_texts(dict.fromkeys(self._items, ""))

    def paste(self, text: str) -> None:
        """Take the cells of a spreadsheet."""
        self._take(pasted(text, self._fields))

    def _paste(self) -> None:
        self.paste(QGuiApplication.clipboard().text())

    def _ask(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open values", "", FILES)
        if chosen:
            self.open(Path(chosen))

    def open(self, path: Path) -> None:
        """Read values from a file as a job."""
        fields = list(self._fields)
        self._context.jobs.run(
            f"Reading {path.name}", lambda control: read_values(path, fields, control), done=self._take
        )

    def _take(self, found: tuple[dict[str, str], list[str]]) -> None:
        texts, unknown = found
        self.set_texts(texts)
        if not texts:
            self._context.notice.emit("warn", "No value of this model was found. Give names and values in two columns.")
        elif unknown:
            named = ", ".join(unknown[:MOST_NAMED]) + ("…" if len(unknown) > MOST_NAMED else "")
            self._context.notice.emit("info", f"{len(texts)} values taken; not of this model: {named}.")

    def _edited(self, _item: QTreeWidgetItem, column: int) -> None:
        if column == VALUE:
            self._judge()
            self.changed.emit()

    def _judge(self) -> None:
        """Mark what cannot be read, is not plausible, or is far from what was trained on; say how much is filled."""
        odd: list[str] = []
        filled = 0
        with QSignalBlocker(self.tree):
            for field in self._fields:
                item = self._items[field.name]
                value, problem = field.read(item.text(VALUE))
                filled += value is not None
                level = "bad" if problem and value is None else "warn" if problem else ""
                if not problem and value is not None and abs(field.away(value)) > FAR:
                    problem = f"{abs(field.away(value)):.1f} standard deviations from the subjects that were trained on"
                    level = "warn"
                item.setForeground(VALUE, theme().color(level or "text"))
                item.setForeground(RANGE, theme().color("dim"))
                item.setToolTip(VALUE, problem)
                if level:
                    odd.append(f"{field.title}: {problem}")
        text = f"{filled} of {len(self._fields)} values given"
        if odd:
            named = "; ".join(odd[:2]) + (f"; and {len(odd) - 2} more" if len(odd) > 2 else "")
            text += f". ! {named}"
        self.told.setText(text)
        self._show_clear()

    def _filter(self, text: str) -> None:
        for place in range(self.tree.topLevelItemCount()):
            group = self.tree.topLevelItem(place)
            whole = text.lower() in group.text(NAME).lower()
            shown = 0
            for row in range(group.childCount()):
                item = group.child(row)
                hidden = not whole and text.lower() not in item.text(NAME).lower()
                item.setHidden(hidden)
                shown += not hidden
            group.setHidden(not shown)
