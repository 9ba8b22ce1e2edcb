"""The table of runs: its model, and the filter that finds a word in any column."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt

from core.catalog import Catalog, RunRow
from gui.metric_names import lower_is_better, metric_name, monitor_of
from gui.theme import theme
from gui.train.data_kinds import task_titles
from gui.train.history import duration_text
from gui.train.states import STATES

Index = QModelIndex | QPersistentModelIndex
SORT = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Listed:
    """A run and the best value so far of the metric that it is judged by."""

    run: RunRow
    best: float
    monitor: str

    @property
    def task(self) -> str:
        """What the run's task is called."""
        return task_titles().get(self.run.task, self.run.task)

    @property
    def seconds(self) -> float:
        run = self.run
        if run.started is None:
            return math.nan
        return (run.ended or (time.time() if run.live else run.heartbeat or run.started)) - run.started


def listed(catalog: Catalog) -> list[Listed]:
    """All runs, newest first. Marks those whose process is gone."""
    catalog.mark_interrupted()
    rows = []
    for run in catalog.runs():
        monitor = monitor_of(run.config)
        best = run.summary.get(monitor, math.nan)
        if run.live:
            kept = catalog.checkpoint(run.id, "best")
            best = kept.value if kept is not None and kept.value is not None else math.nan
        rows.append(Listed(run, best, monitor))
    return rows


@dataclass(frozen=True)
class Column:
    title: str
    text: Callable[[Listed], str]
    order: Callable[[Listed], Any]
    number: bool = False


def _when(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    then, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%d %b %Y %H:%M", then)


def best_text(row: Listed) -> str:
    return f"{metric_name(row.monitor)} {row.best:.3f}" if math.isfinite(row.best) else "–"


def best_order(row: Listed) -> tuple[str, float]:
    """Runs of one metric beside each other, the better ones higher; those without a value below them."""
    if not math.isfinite(row.best):
        return ("", 0.0)
    return (metric_name(row.monitor), -row.best if lower_is_better(row.monitor) else row.best)


COLUMNS = (
    Column("Name", lambda row: row.run.name, lambda row: row.run.name.lower()),
    Column("State", lambda row: " ".join(STATES[row.run.state][:2]), lambda row: row.run.state),
    Column("Task", lambda row: row.task, lambda row: row.task),
    Column("Best", best_text, best_order, True),
    Column("Epochs", lambda row: f"{row.run.epoch} / {row.run.epochs}", lambda row: row.run.epoch, True),
    Column("Started", lambda row: _when(row.run.started), lambda row: row.run.started or 0.0),
    Column("Duration", lambda row: duration_text(row.seconds), lambda row: row.seconds, True),
    Column("Data", lambda row: Path(row.run.data_path).name, lambda row: row.run.data_path),
)
NAME, STATE, STARTED = 0, 1, 5


class RunsModel(QAbstractTableModel):
    """Rows of `Listed`; a refresh that only changes values keeps the selection."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Listed] = []

    def show_rows(self, rows: list[Listed]) -> bool:
        """Show these runs. True if they are other runs than before, so that a selection has to be made anew."""
        same = [row.run.id for row in rows] == [row.run.id for row in self.rows]
        if same:
            self.rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))
            return False
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()
        return True

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's signature
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802 - Qt's signature
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(COLUMNS[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == SORT:
            return column.order(row)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == STATE:
            return theme().color(STATES[row.run.state][2])
        if role == Qt.ItemDataRole.ToolTipRole:
            return {"Data": row.run.data_path, "State": row.run.error or "", "Name": row.run.id}.get(column.title)
        return None


def _alignment(column: Column) -> int:
    side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)


class RunsFilter(QSortFilterProxyModel):
    """Keeps the runs in which every word of the filter occurs somewhere."""

    def __init__(self, source: RunsModel) -> None:
        super().__init__()
        self.setSourceModel(source)
        self.setSortRole(SORT)
        self._source = source
        self._words: list[str] = []
        self._task = ""

    def set_filter(self, text: str) -> None:
        self._words = text.lower().split()
        self.invalidate()

    def set_task(self, task: str) -> None:
        """Keep only the runs of a task, by its title; of all for an empty one."""
        self._task = task
        self.invalidate()

    def lessThan(self, left: Index, right: Index) -> bool:  # noqa: N802 - Qt's name
        """By our own order: Qt cannot compare pairs."""
        return bool(left.data(SORT) < right.data(SORT))

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:  # noqa: N802 - Qt's name
        one = self._source.rows[row]
        if self._task and one.task != self._task:
            return False
        whole = " ".join([*(column.text(one) for column in COLUMNS), one.run.id]).lower()
        return all(word in whole for word in self._words)
