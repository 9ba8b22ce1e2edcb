"""The figures of groups of an evaluation's cases: by age, sex, scanner, and by what was there of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from gui.metric_names import metric_name
from gui.predict.results import tabular
from gui.widgets import section

SHOWN = ("auc", "auroc", "pearson", "r2", "mae", "bias", "coverage")
ROW_PX = 28


def groups_of(result: Mapping[str, Any]) -> list[tuple[str, int, dict[str, float]]]:
    """Name, cases and figures of each group that an answer has.

    >>> groups_of({"subgroups": [{"by": "sex", "group": "F", "subjects": 9, "mae": 0.1}]})
    [('sex: F', 9, {'mae': 0.1})]
    """
    rows: list[tuple[str, int, dict[str, float]]] = []
    for name, told in (result.get("parts") or {}).items():
        rows.append((f"with {name.replace('+', ' + ')}", int(told.get("subjects", 0)), _figures(told)))
    for told in result.get("subgroups") or []:
        if told.get("by") != "parts":  # those are told above
            cases = int(told.get("subjects", told.get("cases", 0)))
            rows.append((f"{told.get('by', '')}: {told.get('group', '')}", cases, _figures(told)))
    return rows


def _figures(told: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(told[name]) for name in SHOWN if isinstance(told.get(name), int | float)}


class GroupsTable(QWidget):
    """As high as its rows; hidden where an answer has no groups."""

    def __init__(self) -> None:
        super().__init__()
        self.table = QTableWidget()
        self.table.setTabKeyNavigation(False)
        self.table.setObjectName("outcome-groups")
        self.table.setAccessibleName("Figures of groups")
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(section("Groups"))
        column.addWidget(self.table)
        self.hide()

    def show_groups(self, result: Mapping[str, Any]) -> None:
        rows = groups_of(result)
        self.setVisible(bool(rows))
        names = [name for name in SHOWN if any(name in figures for _, _, figures in rows)]
        self.table.setColumnCount(2 + len(names))
        self.table.setHorizontalHeaderLabels(["Group", "Cases", *map(metric_name, names)])
        self.table.setRowCount(len(rows))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        font = tabular(self.font())
        for at, (group, cases, figures) in enumerate(rows):
            texts = [group, f"{cases:,}", *(f"{figures[name]:.3f}" if name in figures else "–" for name in names)]
            for place, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if place:
                    item.setFont(font)
                    item.setTextAlignment(right)
                self.table.setItem(at, place, item)
            self.table.setRowHeight(at, ROW_PX)
        head = self.table.horizontalHeader()
        for place in range(self.table.columnCount()):
            self.table.horizontalHeaderItem(place).setTextAlignment(
                right if place else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            )
            mode = QHeaderView.ResizeMode.ResizeToContents if place else QHeaderView.ResizeMode.Stretch
            head.setSectionResizeMode(place, mode)
        self.table.setFixedHeight(head.sizeHint().height() + ROW_PX * len(rows) + 4)
