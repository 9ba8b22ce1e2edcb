"""The figures of an evaluation: one metric's mean with its interval for each structure, and what was missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from gui.predict.results import swatch, tabular
from gui.theme.structures import structure_colours
from gui.theme.theme import theme

if TYPE_CHECKING:
    from core.catalog.evaluations import EvaluationRow

ROW_PX, HEAD_PX = 30, 30
HEADS = ("Structure", "Mean", "95 % interval", "Missed", "False alarms")
INTERVAL_TIP = "Of the mean over cases, by bootstrap: other cases of the same kind would mostly give a mean in here"


class SummaryTable(QTableWidget):
    """As high as its rows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEADS), parent)
        self.setTabKeyNavigation(False)
        self.setObjectName("review-summary")
        self.setAccessibleName("Figures per structure")
        self.setHorizontalHeaderLabels(list(HEADS))
        self.horizontalHeaderItem(2).setToolTip(INTERVAL_TIP)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setFixedHeight(HEAD_PX)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(HEADS)):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        for column in range(len(HEADS)):
            side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
            self.horizontalHeaderItem(column).setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)

    def show_figures(self, result: dict[str, Any], metric: str) -> None:
        """Put one metric of an evaluation's answer into the table."""
        labels, figures, intervals = result["labels"], result["metrics"], result["intervals"]
        colours = structure_colours({"label": value, "name": name} for name, value in labels.items())
        rows = [(name, f"/{name}") for name in labels] + ([("All", "")] if len(labels) > 1 else [])
        self.setRowCount(len(rows))
        font = tabular(self.font())
        for at, (name, suffix) in enumerate(rows):
            between = intervals.get(f"test/{metric}{suffix}")
            missed, alarms = (int(figures[f"test/{key}{suffix}"]) for key in ("n_missed", "n_false_alarms"))
            texts = [
                f"{figures[f'test/{metric}{suffix}']:.3f}",
                f"{between[0]:.3f}–{between[1]:.3f}" if between else "one case only",
                f"✕ {missed}" if missed else "0", f"! {alarms}" if alarms else "0",
            ]  # fmt: skip
            first = QTableWidgetItem(swatch(colours[labels[name]]), name) if name in labels else QTableWidgetItem(name)
            self.setItem(at, 0, first)
            for column, text in enumerate(texts, start=1):
                item = QTableWidgetItem(text)
                item.setFont(font)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if column > 2 and text != "0":
                    item.setForeground(theme().color("bad" if column == 3 else "warn"))
                self.setItem(at, column, item)
            self.setRowHeight(at, ROW_PX)
        self.setFixedHeight(HEAD_PX + ROW_PX * min(len(rows), 6) + 2)


def warnings_of(row: EvaluationRow) -> list[str]:
    """What has to be known before the figures are believed."""
    from core.inference.evaluate import trained_on_text

    texts = [trained_on_text(row.result)] if row.result.get("trained_on") else []
    missed = sum(bool(case.get("missed")) for case in row.cases)
    if missed:
        texts.append(f"A structure was missed entirely in {missed} of {len(row.cases)} cases.")
    return texts
