"""The selected runs beside each other: what they are judged by and their loss over training, and their settings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import yaml
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontDatabase, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPlainTextEdit,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.catalog import Catalog
from core.config import read_yaml
from gui.metric_names import metric_title, monitor_of
from gui.runs.table import Listed
from gui.theme.structures import structure_colours
from gui.train.changes import flat, value_text
from gui.train.curves import Curve, CurveCard
from gui.train.yaml_editor import to_text
from gui.widgets.cards import EmptyState
from gui.widgets.labels import label, section

LOSS = "val/loss"
# What is shown beside the loss where that is what runs are judged by: the first that there is.
USUAL = ("val/auroc", "val/r2", "val/pearson", "val/dice", "val/accuracy")
Series = dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]  # by metric, the one that is judged by first, and by run


def series_of(catalog: Catalog, run_ids: list[str]) -> Series:
    """Epochs (counted from 1) and values of the compared metrics, by key and run."""
    configs = {run.id: run.config for run in catalog.runs()}
    run_ids = [run_id for run_id in run_ids if run_id in configs]  # one may be in the trash meanwhile
    judged = list(dict.fromkeys(monitor_of(configs[run_id]) for run_id in run_ids))
    first = next((key for key in judged if key != LOSS), "")
    if not first and run_ids:
        first = next((key for key in USUAL if any(catalog.metrics(run_id, key=key) for run_id in run_ids)), "")
    found: Series = {key: {} for key in filter(None, (first, LOSS))}
    for key in found:
        for run_id in run_ids:
            points = catalog.metrics(run_id, key=key)
            found[key][run_id] = (
                np.array([point.epoch + 1 for point in points], float),
                np.array([point.value for point in points], float),
            )
    return found


def settings_table(configs: list[str]) -> dict[str, list[Any]]:
    """The settings that differ between experiments, by dotted key, one value for each."""
    trees = [flat(_tree(text)) for text in configs]
    keys = list(dict.fromkeys(key for tree in trees for key in tree if key != "name"))
    rows = {key: [tree.get(key) for tree in trees] for key in keys}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def _tree(text: str) -> dict[str, Any]:
    try:
        tree = read_yaml(text)
    except yaml.YAMLError:
        return {}
    return tree if isinstance(tree, dict) else {}


def _readable(text: str) -> str:
    return to_text(_tree(text)) or text


class ComparePanel(QWidget):
    """Curves on the left; on the right the settings of one run, or the differences of several."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("compare")
        self._rows: list[Listed] = []
        self.judged = CurveCard("", "compare-judged", whole=True)
        self.loss = CurveCard("Loss, validation", "compare-loss", whole=True)
        self.title = section("Settings")
        self.table = QTableWidget()
        self.table.setTabKeyNavigation(False)
        self.table.setObjectName("differences")
        self.table.setAccessibleName("Settings that differ")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.yaml = QPlainTextEdit()
        self.yaml.setObjectName("run-yaml")
        self.yaml.setAccessibleName("Settings of the run as YAML")
        self.yaml.setReadOnly(True)
        self.yaml.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.same = label("These runs have the same settings.", "dim", wrap=True)
        self.same.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.side = QStackedWidget()
        for widget in (self.yaml, self.table, self.same):
            self.side.addWidget(widget)
        content = QWidget()
        across = QHBoxLayout(content)
        across.setContentsMargins(16, 12, 16, 16)
        across.setSpacing(16)
        across.addWidget(self.judged, 3)
        across.addWidget(self.loss, 3)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.title)
        right.addWidget(self.side, 1)
        across.addLayout(right, 4)
        self.empty = EmptyState(
            "compare", "Select a run", "Two or more are compared: their curves and how their settings differ."
        )
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.stack)

    def show_runs(self, rows: list[Listed]) -> None:
        """Show the settings of these runs; their curves come with `show_series`."""
        self._rows = rows
        self.stack.setCurrentIndex(1 if rows else 0)
        if len(rows) == 1:
            self.title.setText("SETTINGS")
            text = _readable(rows[0].run.config)
            if self.yaml.toPlainText() != text:  # else a refresh would scroll it back
                self.yaml.setPlainText(text)
            self.side.setCurrentWidget(self.yaml)
        elif rows:
            self.title.setText("DIFFERENT SETTINGS")
            self._fill(settings_table([row.run.config for row in rows]))

    def _fill(self, rows: dict[str, list[Any]]) -> None:
        self.side.setCurrentWidget(self.table if rows else self.same)
        self.table.setColumnCount(len(self._rows) + 1)
        self.table.setHorizontalHeaderItem(0, QTableWidgetItem("Setting"))
        for place, row in enumerate(self._rows):
            head = QTableWidgetItem(_dot(self._colours()[place]), row.run.name)
            head.setToolTip(row.run.name)
            self.table.setHorizontalHeaderItem(place + 1, head)
        self.table.setRowCount(len(rows))
        for place, (key, values) in enumerate(rows.items()):
            for column, text in enumerate([key, *(value_text(value) for value in values)]):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(place, column, item)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def _colours(self) -> dict[int, QColor]:
        return structure_colours({"label": n, "name": row.run.id} for n, row in enumerate(self._rows))

    def show_series(self, series: Series) -> None:
        colours = self._colours()
        names = [row.run.name for row in self._rows]
        first = next((key for key in series if key != LOSS), "")
        self.judged.setVisible(bool(first))
        self.judged.set_title(metric_title(first))
        for card, key in ((self.judged, first), (self.loss, LOSS)):
            curves = []
            for place, row in enumerate(self._rows):
                epochs, values = series.get(key, {}).get(row.run.id, (np.empty(0), np.empty(0)))
                name = row.run.name if names.count(row.run.name) == 1 else f"{row.run.name} ({row.run.id[-4:]})"
                if len(epochs) and np.isfinite(values).any():
                    curves.append(Curve(name, epochs, values, colours[place].name()))
            card.show_curves(curves, 1.0 if curves else math.nan)


def _dot(colour: QColor) -> QIcon:
    """The sign of a run's curve."""
    drawn = QPixmap(12, 12)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(2, 2, 8, 8)
    painter.end()
    return QIcon(drawn)
