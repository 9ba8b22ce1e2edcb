"""Rows for Qt, only those that are seen: columns of answers, and before or without them a table's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from gui.predict.results import tabular
from gui.tables.reading import OpenedTable, cell_of
from gui.theme.theme import body_font, theme

Index = QModelIndex | QPersistentModelIndex
MOST_SORTED_WORDS = 100_000


@dataclass(frozen=True)
class Answer:
    """A column of answers, one a row: words, or numbers."""

    title: str
    values: Sequence[Any]
    numbers: bool

    def text(self, row: int) -> str:
        value = self.values[row]
        return f"{value:.3f}" if self.numbers else str(value)


class RowsModel(QAbstractTableModel):
    """`order` is that of the rows as they are shown, changed by `sort`."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: OpenedTable | None = None
        self.answers: list[Answer] = []
        self._columns: list[Any] = []
        self.order: np.ndarray[Any, Any] | None = None
        self._figures = tabular(body_font())

    def show_table(self, opened: OpenedTable | None) -> None:
        self.beginResetModel()
        self.opened = opened
        self._columns = list(opened.table.columns.values()) if opened else []
        self.answers, self.order = [], None
        self.endResetModel()

    def show_answers(self, answers: Sequence[Answer]) -> None:
        self.beginResetModel()
        self.answers, self.order = list(answers), None
        self.endResetModel()

    def row_of(self, shown: int) -> int:
        """The table's row that is shown at a place."""
        return int(self.order[shown]) if self.order is not None else shown

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's signature
        return 0 if parent.isValid() else self._rows()

    def _rows(self) -> int:
        if self.opened is not None:
            return len(self.opened.table)
        return len(self.answers[0].values) if self.answers else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's signature
        return 0 if parent.isValid() else len(self.answers) + len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        if orientation == Qt.Orientation.Vertical:
            return f"{self.row_of(section) + 1:,}" if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.DisplayRole:
            own = section - len(self.answers)
            return self.answers[section].title if own < 0 else self._columns[own].name
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if self._number(section) else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _number(self, section: int) -> bool:
        own = section - len(self.answers)
        return self.answers[section].numbers if own < 0 else self._columns[own].kind == "number"

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        own, row = index.column() - len(self.answers), self.row_of(index.row())
        if role == Qt.ItemDataRole.DisplayRole:
            return self.answers[index.column()].text(row) if own < 0 else cell_of(self._columns[own], row)
        number = self._number(index.column())
        if role == Qt.ItemDataRole.FontRole and number:
            return self._figures
        if role == Qt.ItemDataRole.TextAlignmentRole and number:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and own < 0 and self._columns:
            return theme().color("accent")
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; empty cells last."""
        if not 0 <= column < self.columnCount():
            return
        own = column - len(self.answers)
        values = self.answers[column].values if own < 0 else self._columns[own].values
        if _words(values) and len(values) > MOST_SORTED_WORDS:
            return  # it would hold the window
        keys = np.asarray([str(value or "") for value in values] if _words(values) else values)
        if own >= 0 and self._columns[own].kind == "category":
            keys = np.where(keys < 0, np.inf, keys)
        found = np.argsort(keys, kind="stable")
        if order == Qt.SortOrder.DescendingOrder:
            empty = np.isnan(keys) | np.isinf(keys) if keys.dtype.kind == "f" else np.zeros(len(keys), bool)
            known = found[~empty[found]]
            found = np.concatenate([known[::-1], found[empty[found]]])
        self.layoutAboutToBeChanged.emit()
        self.order = found
        self.layoutChanged.emit()


def _words(values: Any) -> bool:
    return not isinstance(values, np.ndarray) or values.dtype.kind in "OU"
