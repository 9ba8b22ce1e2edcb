"""The columns of a table: what each holds (to be mended), how much of it is empty, how its values are spread."""

from __future__ import annotations

from typing import Any, get_args

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.data.tables.table import Kind
from gui.tables.reading import OpenedTable, Summary
from gui.theme import theme
from gui.widgets import section

Index = QModelIndex | QPersistentModelIndex
HEADS = ("Column", "Holds", "Empty", "Values")
NAME, HOLDS, EMPTY, VALUES = range(4)
SUMMARY_ROLE = Qt.ItemDataRole.UserRole
MUCH_EMPTY = 0.5


class ColumnsModel(QAbstractTableModel):
    """A row a column."""

    kind_wanted = Signal(str, str)  # a column, what it shall hold

    def __init__(self) -> None:
        super().__init__()
        self.summaries: list[Summary] = []
        self._mended: dict[str, Any] = {}

    def show_table(self, opened: OpenedTable | None) -> None:
        self.beginResetModel()
        self.summaries = opened.summaries if opened else []
        self._mended = dict(opened.kinds) if opened else {}
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's signature
        return 0 if parent.isValid() else len(self.summaries)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's signature
        return 0 if parent.isValid() else len(HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        known = super().flags(index)
        return known | Qt.ItemFlag.ItemIsEditable if index.column() == HOLDS else known

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        summary, column = self.summaries[index.row()], index.column()
        facts = summary.facts
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            holds = (
                f"{facts.kind}*" if facts.name in self._mended and role == Qt.ItemDataRole.DisplayRole else facts.kind
            )
            return {NAME: facts.name, HOLDS: holds, EMPTY: f"{facts.missing:.0%}", VALUES: ""}[column]
        if role == SUMMARY_ROLE:
            return summary
        if role == Qt.ItemDataRole.ToolTipRole:
            mended = " It was changed by hand." if facts.name in self._mended else ""
            return {
                NAME: facts.name, HOLDS: f"Double-click to change what it holds.{mended}",
                EMPTY: f"{facts.missing:.1%} of the rows are empty", VALUES: summary.said,
            }[column]  # fmt: skip
        if role == Qt.ItemDataRole.AccessibleTextRole and column == VALUES:
            return summary.said
        if role == Qt.ItemDataRole.ForegroundRole and column == EMPTY:
            return theme().color("warn" if facts.missing > MUCH_EMPTY else "dim")
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802
        facts = self.summaries[index.row()].facts
        if role != Qt.ItemDataRole.EditRole or index.column() != HOLDS or value == facts.kind:
            return False
        self.kind_wanted.emit(facts.name, value)
        return True


class KindDelegate(QStyledItemDelegate):
    """A choice of kinds."""

    def createEditor(self, parent: QWidget, _option: QStyleOptionViewItem, _index: Index) -> QWidget:  # noqa: N802
        combo = QComboBox(parent)
        combo.setObjectName("column-kind")
        combo.setAccessibleName("What the column holds")
        combo.addItems(list(get_args(Kind)))
        combo.activated.connect(lambda: (self.commitData.emit(combo), self.closeEditor.emit(combo)))
        return combo

    def setEditorData(self, editor: QWidget, index: Index) -> None:  # noqa: N802 - Qt's name
        assert_combo(editor).setCurrentText(str(index.data(Qt.ItemDataRole.EditRole)))

    def setModelData(self, editor: QWidget, model: Any, index: Index) -> None:  # noqa: N802 - Qt's name
        model.setData(index, assert_combo(editor).currentText())


def assert_combo(widget: QWidget) -> QComboBox:
    if not isinstance(widget, QComboBox):
        raise TypeError("no choice of kinds")
    return widget


class DistributionDelegate(QStyledItemDelegate):
    """A small histogram."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        summary = index.data(SUMMARY_ROLE)
        area = QRectF(option.rect).adjusted(6, 5, -8, -5)  # type: ignore[attr-defined]
        if not summary.counts:
            painter.setPen(theme().color("dim"))
            painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), summary.said)
            return
        most = max(summary.counts) or 1
        wide = area.width() / len(summary.counts)
        numbers = summary.facts.range is not None
        colour = QColor(theme().color("accent" if numbers else "ok"))
        painter.save()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for place, count in enumerate(summary.counts):
            high = area.height() * count / most
            if count:
                high = max(high, 1)
            painter.drawRect(QRectF(area.left() + place * wide, area.bottom() - high, max(wide - 1, 1), high))
        painter.restore()


class ColumnsView(QWidget):
    """The list of columns with a field to find one by its name."""

    kind_wanted = Signal(str, str)
    column_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.model = ColumnsModel()
        self.model.kind_wanted.connect(self.kind_wanted)
        self.found = QSortFilterProxyModel()
        self.found.setSourceModel(self.model)
        self.found.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.found.setFilterKeyColumn(NAME)
        self.search = QLineEdit()
        self.search.setObjectName("table-columns-search")
        self.search.setAccessibleName("Find a column")
        self.search.setPlaceholderText("Find a column")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.found.setFilterFixedString)
        self.table = QTableView()
        self.table.setTabKeyNavigation(False)
        self.table.setObjectName("table-columns")
        self.table.setAccessibleName("Columns of the table")
        self.table.setModel(self.found)
        self.table.setItemDelegateForColumn(HOLDS, KindDelegate(self.table))
        self.table.setItemDelegateForColumn(VALUES, DistributionDelegate(self.table))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(30)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.horizontalHeader().setStretchLastSection(True)
        for place, width in enumerate((150, 74, 56)):
            self.table.setColumnWidth(place, width)
        self.table.selectionModel().currentRowChanged.connect(self._chosen)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(section("Columns"))
        column.addWidget(self.search)
        column.addWidget(self.table, 1)

    def show_table(self, opened: OpenedTable | None) -> None:
        self.model.show_table(opened)

    def _chosen(self, index: QModelIndex) -> None:
        if index.isValid():
            self.column_chosen.emit(str(index.siblingAtColumn(NAME).data()))
