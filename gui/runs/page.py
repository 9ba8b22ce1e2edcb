"""The Runs page: the table of all runs, the selected ones compared, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QItemSelection, QItemSelectionModel, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QHideEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.catalog import Catalog, records
from core.control import JobControl
from core.training.recovery import lost_runs
from gui.context import AppContext
from gui.runs.compare import ComparePanel, series_of
from gui.runs.exporting import ask_and_export
from gui.runs.folds import FoldsPanel
from gui.runs.lost import LostBar
from gui.runs.methods import MethodsPanel, has_methods
from gui.runs.table import NAME, STARTED, Listed, RunsFilter, RunsModel, listed
from gui.train.data_kinds import task_titles
from gui.train.engine import training
from gui.train.publishing import Publisher
from gui.train.reader import CatalogReader
from gui.train.states import RESUMABLE
from gui.widgets.cards import EmptyState
from gui.widgets.controls import button, menu_button, tool_button
from gui.widgets.labels import label
from gui.widgets.trash_bar import TrashBar

REFRESH_MS = 1000
WITH_COUNT_PX = 1000  # in a narrower window the buttons need the room


class RunsPage(QWidget):
    """All runs of the catalog, live ones included."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("runs-page")
        self.setProperty("role", "page")
        self.context = context
        self.engine = training(context)
        self.publisher = Publisher(context, self)
        self.model = RunsModel()
        self.shown = RunsFilter(self.model)
        self.compare = ComparePanel()
        self.folds = FoldsPanel(context)
        self.methods = MethodsPanel(context)
        for panel in (self.folds, self.methods):
            panel.resume_requested.connect(self._resume_folds)
            panel.publish_requested.connect(self.publisher.publish_ensemble)
        self._asked = False
        self._folds_wanted = True  # where the selected runs are those of a cross-validation
        self._selected: list[str] = []
        self._reader = CatalogReader(self)
        self._reader.answered.connect(self._answered)
        self._reader.failed.connect(self._failed)
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._build()
        context.runs_changed.connect(self._ask_if_visible)
        self.engine.busy_changed.connect(self._show_buttons)
        self.publisher.changed.connect(self._show_buttons)
        self._show_buttons()

    # ---- layout -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = self._bar()
        column.addWidget(self.bar)
        self.trash = TrashBar()
        self.trash.undone.connect(self._undo_delete)
        column.addWidget(self.trash)
        column.addWidget(self.publisher.bar)
        self.lost = LostBar(self.context)
        column.addWidget(self.lost)
        self.table = QTableView()
        self.table.setTabKeyNavigation(False)
        self.table.setObjectName("runs-table")
        self.table.setAccessibleName("Runs")
        self.table.setModel(self.shown)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(32)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        for place, width in enumerate((220, 120, 180, 140, 90, 150, 100)):
            self.table.setColumnWidth(place, width)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(STARTED, Qt.SortOrder.DescendingOrder)
        self.table.selectionModel().selectionChanged.connect(self._selection_changed)
        self.table.doubleClicked.connect(lambda _: self._open())
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        keys = (("Return", self._open), ("Enter", self._open), (QKeySequence.StandardKey.Delete, self._delete))
        for key, act in keys:
            shortcut = QShortcut(QKeySequence(key), self.table, act)
            shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        to_train = button(
            "Train a model", "go-train", lambda: self.context.page_requested.emit("train"), role="primary"
        )
        told = "A run that is started here or from a terminal is listed, live or done."
        self.empty = EmptyState("runs", "No runs yet", told, to_train)
        self.none_found = EmptyState("search", "No run matches", "Change the words of the filter.")
        self.stack = QStackedWidget()
        for widget in (self.table, self.empty, self.none_found):
            self.stack.addWidget(widget)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setHandleWidth(1)
        split.addWidget(self.stack)
        self.below = QStackedWidget()
        for panel in (self.compare, self.folds, self.methods):
            self.below.addWidget(panel)
        split.addWidget(self.below)
        split.setSizes([420, 360])
        split.setCollapsible(0, False)
        self.split = split
        column.addWidget(split, 1)

    def toolbar_widgets(self) -> list[QWidget]:
        """What the window's bar shows for this page; that bar names it already."""
        self.bar.setProperty("role", "")
        self.bar.layout().setContentsMargins(0, 0, 0, 0)
        self.title.hide()
        return [self.bar]

    def shut_down(self) -> None:
        """The window closes."""
        self._timer.stop()
        self._reader.close()

    def _bar(self) -> QFrame:
        bar = QFrame()
        bar.setProperty("role", "bar")
        bar.setFixedHeight(46)
        self.filter = QLineEdit()
        self.filter.setObjectName("runs-filter")
        self.filter.setAccessibleName("Filter the runs")
        self.filter.setPlaceholderText("Filter by name, state, task, data")
        self.filter.setClearButtonEnabled(True)
        self.filter.setMinimumWidth(100)
        self.filter.setMaximumWidth(240)
        self.filter.textChanged.connect(self._filter)
        self.tasks = QComboBox()
        self.tasks.setObjectName("runs-tasks")
        self.tasks.setAccessibleName("Runs of which task")
        self.tasks.addItem("All tasks", "")
        for title in task_titles().values():
            self.tasks.addItem(title, title)
        self.tasks.currentIndexChanged.connect(lambda _: self._filter_task(self.tasks.currentData()))
        self.count = label("", "dim")
        self.open = button("Open", "open-run", self._open, tip="Show the run's dashboard on the Train page (Enter)")
        self.cross_validation = button(
            "Show curves", "show-folds", self._turn_below, tip="Curves, or the folds' figures"
        )
        self.resume = button("Resume", "resume-run", self._resume)
        self.publish = button("Publish", "publish-run", self._publish)
        self.evaluate = button("Evaluate…", "evaluate-run", self._evaluate, tip="Measure it on labelled cases")
        menu = QMenu(self)
        menu.addAction("Export as JSON: settings, curves, events…", lambda: self._export("json"))
        menu.addAction("Export as CSV: all metric points…", lambda: self._export("csv"))
        self.folder = menu.addAction("Show the folder", self._show_folder)
        self.more = menu_button("More", "more-runs", menu, tip="Export, show the folder")
        self.delete = tool_button("trash", "delete-runs", "Delete the selected runs", self._delete)
        row = QHBoxLayout(bar)
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(8)
        self.title = label("Runs", "title")
        row.addWidget(self.title)
        row.addSpacing(8)
        row.addWidget(self.filter, 1)
        row.addWidget(self.tasks)
        row.addWidget(self.count)
        row.addStretch()
        actions = self.open, self.resume, self.publish, self.evaluate, self.more, self.delete
        for one in (self.cross_validation, *actions):
            row.addWidget(one)
        return bar

    # ---- what is shown ------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self.refresh()
        self._timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self.count.setVisible(event.size().width() >= WITH_COUNT_PX)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        self._timer.stop()
        self._asked = False
        self._reader.close()
        super().hideEvent(event)

    def _ask_if_visible(self) -> None:
        if self.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Ask the catalog for all runs and the selected ones' curves."""
        if not self._asked:
            self._asked = True
            chosen = list(self._selected)
            self._reader.ask("runs", lambda catalog: _asked_of(catalog, chosen))

    def _answered(self, _topic: str, answer: Any) -> None:
        self._asked = False
        rows, chosen, series, lost = answer
        self.lost.show_lost(lost)
        if self.model.show_rows(rows):
            self.select(self._selected)
        self._show_count()
        self._show_buttons()
        self._show_below()
        if chosen == self._selected:
            self.compare.show_series(series)
        else:
            self.refresh()

    def _failed(self, _topic: str, error: Exception) -> None:
        self._asked = False
        self._timer.stop()  # told once, not every second
        self.context.tell(error)

    def _filter(self, text: str) -> None:
        self.shown.set_filter(text)
        self._show_count()

    def _filter_task(self, title: str) -> None:
        self.shown.set_task(title)
        self._show_count()

    def _show_count(self) -> None:
        every, found = len(self.model.rows), self.shown.rowCount()
        self.stack.setCurrentWidget(self.empty if not every else self.table if found else self.none_found)
        self.below.setVisible(every > 0)
        self.count.setText(f"{found} of {every}" if found != every else f"{every} runs" if every != 1 else "1 run")

    # ---- the selection ------------------------------------------------------------------------------------------

    def selected(self) -> list[Listed]:
        """The selected runs, in the order of the table."""
        chosen = set(self._selected)
        by_id = {row.run.id: row for row in self.model.rows}
        order = [self.shown.mapToSource(self.shown.index(n, NAME)).row() for n in range(self.shown.rowCount())]
        ids = [self.model.rows[n].run.id for n in order]
        return [by_id[id] for id in ids if id in chosen]

    def select(self, run_ids: list[str]) -> None:
        """Select these runs."""
        selection = QItemSelection()
        for number in range(self.shown.rowCount()):
            index = self.shown.index(number, NAME)
            if self.model.rows[self.shown.mapToSource(index).row()].run.id in run_ids:
                selection.select(index, index)
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.table.selectionModel().select(selection, flags)

    def _selection_changed(self) -> None:
        indexes = self.table.selectionModel().selectedRows(NAME)
        self._selected = [self.model.rows[self.shown.mapToSource(index).row()].run.id for index in indexes]
        self._show_below()
        self._show_buttons()
        self._ask_if_visible()

    def _show_buttons(self) -> None:
        rows = [row.run for row in self.selected()]
        one = rows[0] if len(rows) == 1 else None
        self.open.setEnabled(one is not None)
        self.folder.setEnabled(one is not None)
        self.resume.setEnabled(one is not None and one.state in RESUMABLE and not self.engine.busy)
        self.publish.setEnabled(one is not None and not one.live and not self.publisher.busy)
        self.evaluate.setEnabled(one is not None and not one.live)
        self.publish.setText("Publishing…" if self.publisher.busy else "Publish")
        self.more.setEnabled(bool(rows))
        live = [run for run in rows if run.live]
        self.delete.setEnabled(bool(rows) and not live)
        self.delete.setToolTip("A run that is going on has to be stopped first" if live else "Move to the trash (Del)")

    def _turn_below(self) -> None:
        self._folds_wanted = not self._folds_wanted
        self.cross_validation.setText("Show curves" if self._folds_wanted else "Show folds")
        self._show_below()

    def _show_below(self) -> None:
        """The selected runs' curves; or their cross-validation, where all belong to one and that is asked for."""
        rows = self.selected()
        self.compare.show_runs(rows)
        groups = {row.run.run_group for row in rows}
        group_id = next(iter(groups)) if len(groups) == 1 else None
        self.cross_validation.setVisible(group_id is not None)
        shown = group_id is not None and self._folds_wanted
        by_kind = shown and has_methods(rows[0].run.task)
        self.below.setCurrentWidget(self.methods if by_kind else self.folds if shown else self.compare)
        if shown:
            of_group = (row.run for row in self.model.rows if row.run.run_group == group_id)
            panel = self.methods if by_kind else self.folds
            panel.show_group(str(group_id), tuple(sorted((run.id, run.state) for run in of_group)))

    # ---- actions ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        rows = self.selected()
        if len(rows) == 1:
            self.context.page_requested.emit("train")
            self.context.run_requested.emit(rows[0].run.id)

    def _resume(self) -> None:
        rows = self.selected()
        if len(rows) == 1:
            self.context.page_requested.emit("train")
            self.engine.resume(rows[0].run.id)

    def _resume_folds(self, group_id: str, name: str) -> None:
        self.context.page_requested.emit("train")
        self.engine.resume_folds(group_id, name)

    def _publish(self) -> None:
        rows = self.selected()
        if len(rows) == 1:
            self.publisher.publish(rows[0].run)

    def _evaluate(self) -> None:
        rows = self.selected()
        if len(rows) == 1:
            self.context.evaluation_requested.emit(rows[0].run.id)

    def _show_folder(self) -> None:
        rows = self.selected()
        if len(rows) == 1:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(rows[0].run.folder)))

    def _delete(self) -> None:
        rows = [row.run for row in self.selected()]
        if not rows or any(run.live for run in rows):
            return
        ids = [run.id for run in rows]
        what = rows[0].name if len(rows) == 1 else f"{len(rows)} runs"
        self._on_catalog(f"Deleting {what}", records.to_trash, ids, lambda: self._deleted(ids, what))

    def _deleted(self, ids: list[str], what: str) -> None:
        self.trash.offer(what, records.TRASH_DAYS, ids)

    def _undo_delete(self, ids: list[str]) -> None:
        self._on_catalog("Putting runs back", records.from_trash, ids, lambda: self.select(ids))

    def _on_catalog(
        self, title: str, act: Callable[[Catalog, str], None], ids: list[str], done: Callable[[], None]
    ) -> None:
        """Do something with each run as a job, then look again."""

        def work(_control: JobControl) -> None:
            with Catalog() as catalog:
                for run_id in ids:
                    act(catalog, run_id)

        def ended(_result: object) -> None:
            done()
            self.context.runs_changed.emit()

        self.context.jobs.run(title, work, done=ended)

    def _export(self, kind: str) -> None:
        ask_and_export(self.context, self, [row.run for row in self.selected()], kind)


def _asked_of(catalog: Catalog, chosen: list[str]) -> tuple[Any, ...]:
    return listed(catalog), chosen, series_of(catalog, chosen), lost_runs(catalog)
