"""The Predict page: several scans at once, and all predictions of the past, of every kind."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QSortFilterProxyModel, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core import RESEARCH_ONLY
from core.errors import IsocenterError
from core.files import write_text
from gui.context import AppContext
from gui.dropping import place_of, some
from gui.predict.batch import Batch, FoundScans, default_folder, find_scans
from gui.predict.model_card import ModelChooser, choice_of, key
from gui.predict.past import CHECKS, KIND, MODEL, OF, RESULT, ROW_ROLE, SORT_ROLE, TOOK, WHEN, PastPredictions, of_what
from gui.predict.queue_view import QueueView
from gui.predict.removing import RemovedBar
from gui.predict.stored import volumes_table
from gui.scans.opening import SCAN_FILES
from gui.widgets import ElidedLabel, EmptyState, button, dress, label, section, tool_button

if TYPE_CHECKING:
    from core.catalog import PredictionRow

EMPTY = (
    "Drop scans here (NIfTI, NRRD or MetaImage files, DICOM folders): they are predicted at once. A table (CSV, TSV, "
    "Excel, Parquet) or a patient's stays (text files, a folder or archive of them) open on their own pages, and the "
    "Risk page takes a subject's MRI, PET and clinical values. What was predicted is listed here."
)
FOLDER_KEY = "predict/batch_folder"


class PredictionsPage(QWidget):
    """Drop scans to predict them one after another; open, compare and export what was predicted before."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "page")
        self.setObjectName("predictions-page")
        self.setAcceptDrops(True)
        self._context = context
        self._choice = choice_of(context)
        self.batch = Batch(context)
        self.past = PastPredictions()
        self._build()
        self._choice.changed.connect(self._refresh)
        context.predictions_changed.connect(self.reload)
        self.reload()

    # ---- what it is made of -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.queue = QueueView(self.batch)
        self.queue.open_requested.connect(self._context.prediction_open_requested)
        self.removed = RemovedBar(self._context)
        self.removed.removed.connect(self.batch.forget)
        self._empty = EmptyState("predict", "No predictions yet", EMPTY)
        self.table = self._table()
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 12)
        column.setSpacing(16)
        column.addWidget(self._drop_zone())
        column.addWidget(self.queue)
        column.addWidget(self.removed)
        column.addLayout(self._past_head())
        column.addWidget(self.table, 1)
        column.addWidget(self._empty, 1)
        column.addWidget(label(RESEARCH_ONLY, "small"))

    def _drop_zone(self) -> QFrame:
        self._zone = QFrame()
        self._zone.setProperty("role", "dropzone")
        self._zone.setObjectName("prediction-drop")
        self._zone.setAccessibleName("Drop scans here to predict them")
        self._hint = label("", "dim", wrap=True)
        self.add_button = button("Choose scans", "predict-choose-scans", self.choose_scans, role="primary", icon="open")
        chooser = ModelChooser(self._choice, "batch-model")
        chooser.setMinimumWidth(200)
        self._folder = ElidedLabel("", "dim")
        self._folder.setObjectName("batch-folder")
        self._folder.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(label("Predict", "title"))
        words.addWidget(self._hint)
        change = button(
            "Change", "batch-folder-change", self.choose_folder, role="link", tip="Change the results' folder"
        )
        where = QHBoxLayout()
        where.setSpacing(4)
        where.addWidget(label("Results go to", "dim"))
        where.addWidget(self._folder)
        where.addWidget(change)
        where.addStretch(1)
        words.addLayout(where)
        row = QHBoxLayout(self._zone)
        row.setContentsMargins(20, 16, 20, 16)
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addWidget(chooser)
        row.addWidget(self.add_button)
        self.setTabOrder(self.add_button, chooser)
        self.setTabOrder(chooser, change)
        return self._zone

    def _past_head(self) -> QHBoxLayout:
        self._search = QLineEdit()
        self._search.setObjectName("predictions-search")
        self._search.setAccessibleName("Find a prediction")
        self._search.setPlaceholderText("Find by name, model or result")
        self._search.setClearButtonEnabled(True)
        self._search.setFixedWidth(220)
        self._search.textChanged.connect(self._sorted.setFilterFixedString)
        self.open_button = button(
            "Open", "prediction-open", self.open_selected, tip="Open it on the page of its kind (Enter)"
        )
        self.folder_button = button("Show in folder", "predictions-folder", self.show_in_folder)
        self.export_button = button(
            "Export volumes", "predictions-export", self.export, tip="Volumes as CSV: of what is selected, or of all"
        )
        self.remove_button = tool_button("trash", "predictions-remove", "Delete what is selected (Del)", self.remove)
        delete = QShortcut(QKeySequence.StandardKey.Delete, self.table, self.remove)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(section("Past predictions"))
        row.addStretch(1)
        for widget in (self._search, self.open_button, self.folder_button, self.export_button, self.remove_button):
            row.addWidget(widget)
        return row

    def _table(self) -> QTableView:
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.past)
        self._sorted.setSortRole(SORT_ROLE)
        self._sorted.setFilterKeyColumn(-1)
        self._sorted.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        table = QTableView()
        table.setObjectName("predictions-table")
        table.setAccessibleName("Past predictions")
        table.setModel(self._sorted)
        table.setShowGrid(False)
        table.setAlternatingRowColors(False)
        table.setSortingEnabled(True)
        table.sortByColumn(WHEN, Qt.SortOrder.DescendingOrder)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(36)
        head = table.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        head.setSectionResizeMode(RESULT, QHeaderView.ResizeMode.Stretch)
        for column, width in ((KIND, 70), (OF, 190), (MODEL, 160), (CHECKS, 90), (TOOK, 80), (WHEN, 140)):
            table.setColumnWidth(column, width)
        table.activated.connect(self._open_index)
        table.selectionModel().selectionChanged.connect(lambda *_: self._refresh())
        self._sorted.layoutChanged.connect(self._refresh)
        return table

    # ---- several scans ------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where the results of the queue go."""
        chosen = self._context.settings.value(FOLDER_KEY, "")
        return Path(chosen) if chosen else default_folder()

    def choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the results", str(self.folder))
        if chosen:
            self._context.settings.setValue(FOLDER_KEY, chosen)
            self._refresh()

    def choose_scans(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, "Scans to predict", "", SCAN_FILES)
        if chosen:
            self.predict_paths([Path(path) for path in chosen])

    def predict_paths(self, paths: Iterable[Path]) -> None:
        """Queue the scans among these files and folders for the chosen model; tables and stays open on their pages."""
        package, out, paths = self._choice.current, self.folder, list(paths)
        others = [path for path in paths if place_of(path) != "scans"]
        if others:
            self._context.open_requested.emit(others)
            paths = [path for path in paths if path not in others]
        if not paths:
            return
        if package is None:
            self._context.notice.emit(
                "warn", "There is no model to predict with. Import or publish one on the Models page."
            )
            return

        def found(scans: FoundScans) -> None:
            if scans.cases:
                self.batch.add(scans, key(package), out)
                if scans.left_out:
                    self._context.notice.emit("info", f"Left out, as they are no volumes: {some(scans.left_out)}.")
            else:
                names = some([path.name for path in paths])
                self._context.notice.emit(
                    "warn", f"{names}: there is no scan in it. Drop NIfTI files or DICOM folders."
                )

        work = partial(find_scans, paths, package, out)
        self._context.jobs.run("Looking for scans", work, done=found)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self._mark_drop(True)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._mark_drop(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._mark_drop(False)
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        QTimer.singleShot(0, self, partial(self.predict_paths, paths))  # the other program waits for the drop to end

    def _mark_drop(self, over: bool) -> None:
        dress(self._zone, "over", over)

    # ---- past predictions ---------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the catalog anew."""
        try:
            self.past.show_rows(self._context.catalog().predictions())
        except IsocenterError as error:
            self._context.tell(error)
        self._refresh()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.reload()  # the command line may have added some

    def selected(self) -> list[PredictionRow]:
        return [index.data(ROW_ROLE) for index in self.table.selectionModel().selectedRows()]

    def open_selected(self) -> None:
        rows = self.selected()
        if len(rows) == 1:
            self._context.prediction_open_requested.emit(rows[0].id)

    def _open_index(self, index: QModelIndex) -> None:
        self._context.prediction_open_requested.emit(index.data(ROW_ROLE).id)

    def show_in_folder(self) -> None:
        for row in self.selected()[:1]:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(row.output.parent)))

    def remove(self) -> None:
        """Move the selected predictions to the trash; Undo brings them back."""
        rows = self.selected()
        if rows:
            of = of_what(rows[0])
            self.removed.remove(rows, f"The prediction of {of}" if len(rows) == 1 else f"{len(rows)} predictions")

    def export(self) -> None:
        """Write the volumes of the selected predictions, or of all, as CSV where the user says."""
        chosen, _ = QFileDialog.getSaveFileName(self, "Export volumes", str(Path.home() / "volumes.csv"), "CSV (*.csv)")
        if chosen:
            self.export_to(Path(chosen))

    def export_to(self, target: Path) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(volumes_table(self.selected() or self.past.rows))
        try:
            write_text(target, text.getvalue())
        except IsocenterError as error:
            self._context.tell(error)
            return
        self._context.notice.emit("ok", f"Saved {target}.")

    # ---- what is seen -------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        has_model, rows = self._choice.current is not None, self.selected()
        self._hint.setText(
            "Drop scans or folders anywhere on this page; they are predicted one after another. A table or stays open "
            "on their own pages."
            if has_model or not self._choice.loaded
            else "There is no model yet: import or publish one on the Models page first."
        )
        self.add_button.setEnabled(has_model)
        self._folder.setText(str(self.folder))
        has_rows = bool(self.past.rows)
        self.table.setVisible(has_rows)
        self._empty.setVisible(not has_rows)
        self.open_button.setEnabled(len(rows) == 1)
        self.folder_button.setEnabled(len(rows) == 1)
        self.remove_button.setEnabled(bool(rows))
        self.export_button.setEnabled(any(row.structures for row in self.past.rows))
