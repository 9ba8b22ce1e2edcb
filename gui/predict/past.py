"""Past predictions as a table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from core.imaging.titles import file_title
from gui.dropping import page_of
from gui.predict.results import seconds_text, tabular, volume_text
from gui.theme.theme import body_font

if TYPE_CHECKING:
    from core.catalog import PredictionRow

COLUMNS = ("Kind", "Of", "Model", "Result", "Checks", "Took", "When")
KIND, OF, MODEL, RESULT, CHECKS, TOOK, WHEN = range(len(COLUMNS))
NUMERIC = (RESULT, TOOK, WHEN)
KINDS = {"scans": "Scan", "tables": "Table", "stays": "Stay", "risk": "Risk"}
SORT_ROLE = Qt.ItemDataRole.UserRole
ROW_ROLE = Qt.ItemDataRole.UserRole + 1
# Left everywhere: on the right of a head stands the mark of the sorting.
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
Index = QModelIndex | QPersistentModelIndex


class PastPredictions(QAbstractTableModel):
    """The catalog's predictions, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[PredictionRow] = []
        self._figures = tabular(body_font())

    def show_rows(self, rows: list[PredictionRow]) -> None:
        if rows == self.rows:
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return LEFT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(row, column)
        if role == SORT_ROLE:
            name, result = of_what(row).lower(), (_volume(row), row.answer)
            return (_kind(row), name, row.model, result, len(_warnings(row)), row.seconds, row.time)[column]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return LEFT
        if role == Qt.ItemDataRole.FontRole and column in NUMERIC:
            return self._figures
        if role == Qt.ItemDataRole.ToolTipRole:
            result = "\n".join(f"{s['name']}: {volume_text(s['volume_ml'])}" for s in row.structures) or row.answer
            return ("", str(row.scan), "", result, "\n".join(_warnings(row)), row.device, "")[column]
        return None


def _text(row: PredictionRow, column: int) -> str:
    if column == KIND:
        return _kind(row)
    if column == OF:
        return of_what(row)
    if column == MODEL:
        return f"{row.model} {row.model_version}"
    if column == RESULT:
        return row.answer or " · ".join(f"{s['name']} {volume_text(s['volume_ml'])}" for s in row.structures)
    if column == CHECKS:
        count = len(_warnings(row))
        return f"! {count} to read" if count else "✓"
    if column == TOOK:
        return seconds_text(row.seconds)
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(row.time))


def of_what(row: PredictionRow) -> str:
    """What was predicted: the file, with the stay in it; or the subject."""
    if "subject" in row.given:
        return str(row.given["subject"])
    file = file_title(row.scan)
    if "time" in row.given:
        return f"{file}, time {row.given['time'] + 1}"
    return f"{row.given['stay']} · {file}" if "stay" in row.given else file


def _kind(row: PredictionRow) -> str:
    return KINDS[page_of(row.task)]


def _warnings(row: PredictionRow) -> list[str]:
    return [finding["message"] for finding in row.findings if finding.get("severity") != "info"]


def _volume(row: PredictionRow) -> float:
    return float(sum(s["volume_ml"] for s in row.structures))
