"""Where a folder holds several scans: which of them to open."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from core.imaging.choices import ScanChoice
from gui.context import AppContext
from gui.scans.picker_model import PICTURE_PX, PickerModel
from gui.widgets import button, label

ROW_PX = PICTURE_PX + 12


class SeriesPicker(QWidget):
    """A table with a picture a row. Enter or a double click opens what is selected, Escape goes back."""

    picked = Signal(object)  # list[ScanChoice]
    cancelled = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("series-picker")
        self.setProperty("role", "page")
        self.model = PickerModel(context)
        self._title = label("Which scans?", "headline")
        self._hint = label("", "dim", wrap=True)
        self.table = self._make_table()
        self.open_button = button("Open", "picker-open", self.open_selected, role="primary", tip="Open (Enter)")
        self._count = label("", "dim")
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.open_button)
        foot.addWidget(button("Cancel", "picker-cancel", self.cancel, tip="Go back (Escape)"))
        foot.addStretch(1)
        foot.addWidget(self._count)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(8)
        column.addWidget(self._title)
        column.addWidget(self._hint)
        column.addSpacing(8)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        QShortcut(
            QKeySequence(Qt.Key.Key_Escape), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut
        ).activated.connect(self.cancel)

    def _make_table(self) -> QTableView:
        table = _Table()
        table.setObjectName("picker-table")
        table.setAccessibleName("Scans to choose from")
        table.setModel(self.model)
        table.setShowGrid(False)
        table.setIconSize(QSize(PICTURE_PX, PICTURE_PX))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_PX)
        head = table.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 80), (2, 110), (3, 110), (4, 180), (5, 110)):
            table.setColumnWidth(column, width)
        table.enter_pressed.connect(self.open_selected)
        table.doubleClicked.connect(lambda _index: self.open_selected())
        table.selectionModel().selectionChanged.connect(lambda *_: self._refresh())
        return table

    def offer(self, choices: list[ScanChoice]) -> None:
        """Add scans to choose from; the first of all is selected."""
        first = not self.model.choices
        self.model.add(choices)
        folders = {choice.path if choice.series else choice.path.parent for choice in self.model.choices}
        where = next(iter(folders)).name if len(folders) == 1 else "What was opened"
        self._hint.setText(
            f"{where} holds {len(self.model.choices)} scans. Choose one, or several with Ctrl or Shift; Ctrl+A for all."
        )
        if first:
            self.table.selectRow(0)
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)
        self._refresh()

    @property
    def selected(self) -> list[ScanChoice]:
        return [self.model.choices[index.row()] for index in self.table.selectionModel().selectedRows()]

    def open_selected(self) -> None:
        chosen = self.selected
        if chosen:
            self.model.clear()
            self.picked.emit(chosen)

    def cancel(self) -> None:
        self.model.clear()
        self.cancelled.emit()

    def _refresh(self) -> None:
        count = len(self.selected)
        self.open_button.setEnabled(count > 0)
        self.open_button.setText(f"Open {count} scans" if count > 1 else "Open")
        self._count.setText(f"{count} of {len(self.model.choices)} selected")


class _Table(QTableView):
    """Enter opens on every platform, also where it would edit."""

    enter_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enter_pressed.emit()
        else:
            super().keyPressEvent(event)
