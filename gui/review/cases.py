"""The table of an evaluation's cases: one metric, all structures, worst first."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from gui.predict.results import tabular
from gui.theme.theme import body_font, theme

Index = QModelIndex | QPersistentModelIndex
SORT_ROLE = Qt.ItemDataRole.UserRole
CASE_ROLE = Qt.ItemDataRole.UserRole + 1
CASE, MEAN = 0, 1


class CasesModel(QAbstractTableModel):
    """Columns: case, mean over structures, each structure, what is special."""

    def __init__(self) -> None:
        super().__init__()
        self.cases: list[dict[str, Any]] = []
        self.names: list[str] = []
        self._metric = "dice"
        self._figures = tabular(body_font())

    def show_cases(self, cases: list[dict[str, Any]], metric: str) -> None:
        self.beginResetModel()
        self.cases, self._metric = cases, metric
        self.names = list(cases[0][metric]) if cases else []
        self.endResetModel()

    def value(self, case: dict[str, Any], column: int) -> float:
        values = case[self._metric]
        if column == MEAN:
            return float(sum(abs(v) if self._metric == "volume_error_ml" else v for v in values.values()) / len(values))
        return float(values[self.names[column - 2]])

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.cases)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.names) + 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return ["Case", "Mean", *self.names, "Note"][section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        case, column = self.cases[index.row()], index.column()
        number = 0 < column < len(self.names) + 2
        if role == Qt.ItemDataRole.DisplayRole:
            return case["case"] if column == CASE else f"{self.value(case, column):.3f}" if number else note(case)
        if role == SORT_ROLE:
            return case["case"] if column == CASE else self.value(case, column) if number else note(case)
        if role == CASE_ROLE:
            return case["case"]
        if role == Qt.ItemDataRole.FontRole and number:
            return self._figures
        if role == Qt.ItemDataRole.ForegroundRole:
            missed = 1 < column < len(self.names) + 2 and self.names[column - 2] in case["missed"]
            return theme().color("bad") if missed or (column > 1 and not number) else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return case.get("error") or note(case) or None
        return None


def note(case: dict[str, Any]) -> str:
    """What is special about a case, with a sign, so that it is not told by colour alone."""
    if case.get("error"):
        return "✕ refused"
    missed = [f"✕ {name} missed" for name in case["missed"]]
    return "; ".join(missed + [f"! {name}: false alarm" for name in case["false_alarms"]])
