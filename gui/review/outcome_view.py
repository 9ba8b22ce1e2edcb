"""An evaluation of outcomes: figures with intervals and cases on the left, curves and decisions on the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QTableView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core import RESEARCH_ONLY
from core.imaging.volume import Finding
from gui.charts.bars import Bar, BarChart
from gui.charts.calibration import CalibrationChart, DecisionCurveChart
from gui.charts.confusion import ConfusionTable
from gui.charts.ranking import PrecisionRecallChart, RocChart
from gui.charts.scatter import ScatterChart
from gui.charts.threshold import Threshold
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.metric_names import metric_name
from gui.predict.results import tabular
from gui.review.groups import GroupsTable
from gui.review.outcome import Outcome, outcome_of
from gui.review.summary import INTERVAL_TIP
from gui.tables.rows import Answer, RowsModel
from gui.train.data_check import LEVELS, grouped
from gui.widgets import label, notice, scrolled, section
from gui.widgets.flow import Flow

if TYPE_CHECKING:
    from core.catalog.evaluations import EvaluationRow

FIRST = ("auroc", "auprc", "pearson", "r2", "mae")  # what is looked at first
ROW_PX = 28
CHART_PX, CHART_LEAST_PX = 300, 340
MOST_IMPORTANT = 15
MOST_NOTICES = 3


class OutcomeView(QWidget):
    """Reads an evaluation's cases in a job, then shows them; one threshold is shared by all charts."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("outcome-view")
        self._context = context
        self._job: Job | None = None
        self.outcome: Outcome | None = None
        self.threshold = Threshold(0.5, self)
        self.roc = RocChart(self.threshold)
        self.precision_recall = PrecisionRecallChart(self.threshold)
        self.calibration = CalibrationChart()
        self.decision = DecisionCurveChart(self.threshold)
        self.confusion = ConfusionTable(self.threshold)
        self.scatter = ScatterChart()
        self.scatter.case_chosen.connect(self.choose_case)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        split.addWidget(self._left())
        split.addWidget(self._right())
        split.setSizes([470, 900])
        split.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(split)

    def _left(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "panel")
        frame.setMinimumWidth(380)
        self.notices = QVBoxLayout()
        self.notices.setSpacing(6)
        self.figures = QTableWidget(0, 3)
        self.figures.setTabKeyNavigation(False)
        self.figures.setObjectName("outcome-figures")
        self.figures.setAccessibleName("Figures with their intervals")
        self.figures.setHorizontalHeaderLabels(["Figure", "Value", "95 % interval"])
        self.figures.horizontalHeaderItem(2).setToolTip(INTERVAL_TIP)
        self.figures.verticalHeader().hide()
        self.figures.setShowGrid(False)
        self.figures.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.figures.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.figures.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        head = self.figures.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for place in (1, 2):
            head.setSectionResizeMode(place, QHeaderView.ResizeMode.ResizeToContents)
            self.figures.horizontalHeaderItem(place).setTextAlignment(
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
        self.figures.horizontalHeaderItem(0).setTextAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self.cases = RowsModel()
        self.table = QTableView()
        self.table.setTabKeyNavigation(False)
        self.table.setObjectName("outcome-cases")
        self.table.setAccessibleName("Cases, the most wrong first")
        self.table.setModel(self.cases)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setSortingEnabled(True)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.made = label("", "small", wrap=True)
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addLayout(self.notices)
        column.addWidget(section("Figures"))
        column.addWidget(self.figures)
        column.addWidget(section("Cases"))
        column.addWidget(self.table, 1)
        column.addWidget(self.made)
        column.addWidget(label(RESEARCH_ONLY, "small", wrap=True))
        return frame

    def _right(self) -> QWidget:
        self.one_class = QComboBox()
        self.one_class.setObjectName("outcome-class")
        self.one_class.setAccessibleName("The outcome that the curves are of")
        self.one_class.currentIndexChanged.connect(lambda _: self._show_curves())
        choosing = QHBoxLayout()
        self.chosen_text = label("Curves of", "dim")
        choosing.addWidget(self.chosen_text)
        choosing.addWidget(self.one_class)
        choosing.addStretch(1)
        self.importance = BarChart("outcome-importance", "Importance of the columns")
        self.importance_title = section("Importance")
        self.charts = Flow(2, 16, CHART_LEAST_PX)
        self._curves = [self.roc, self.precision_recall, self.confusion, self.calibration, self.decision]
        self.charts.show_widgets([*self._curves, self.scatter])
        self.charts.show_widgets([])  # until it is known what was predicted
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(12)
        column.addLayout(choosing)
        column.addWidget(self.charts)
        column.addWidget(self.importance_title)
        column.addWidget(self.importance)
        self.groups = GroupsTable()
        column.addWidget(self.groups)
        column.addStretch(1)
        return scrolled(inside)

    # ---- what is shown ------------------------------------------------------------------------------------------

    def show_evaluation(self, row: EvaluationRow, remarks: list[str]) -> None:
        """remarks: what has to be known before the figures are believed."""
        self._stop()
        self.outcome = None
        result = row.result
        self._show_notices(result, remarks)
        self._show_importance(result)
        self.groups.show_groups(result)
        self.made.setText(f"{row.data} · {len(row.cases):,} cases")
        self._job = self._context.jobs.run(
            "Reading the evaluation", lambda control: outcome_of(result, control), done=self._take,
            failed=self._failed, kind="background",
        )  # fmt: skip

    def clear(self) -> None:
        self._stop()

    def _stop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _failed(self, error: Exception) -> None:
        self._job = None
        self.notices.addWidget(notice(f"The cases cannot be shown: {error}.", "bad"))

    def _take(self, outcome: Outcome) -> None:
        self._job, self.outcome = None, outcome
        self._show_figures(outcome)
        self._show_cases(outcome)
        self.one_class.blockSignals(True)
        self.one_class.clear()
        self.one_class.addItems(outcome.classes)
        self.one_class.setCurrentIndex(1 if outcome.binary else 0)
        self.one_class.blockSignals(False)
        for widget in (self.one_class, self.chosen_text):
            widget.setVisible(bool(outcome.classes))
        self.threshold.set(outcome.threshold)
        self._arrange(outcome)
        self._show_curves()

    def _arrange(self, outcome: Outcome) -> None:
        curves = self._curves
        shown = curves if outcome.classes else [self.scatter, *(curves if outcome.event is not None else [])]
        for widget in shown:
            widget.setMinimumHeight(CHART_PX)
        self.charts.show_widgets(shown)

    def _show_curves(self) -> None:
        outcome = self.outcome
        if outcome is None:
            return
        if not outcome.classes:
            self.scatter.show_cases(outcome.target.tolist(), outcome.outputs.tolist(), outcome.names)
            if outcome.event is None:
                return
        place = max(self.one_class.currentIndex(), 0)
        whole = outcome.binary and place == 1
        curves = outcome.curves(place)
        binary = outcome.decisions(place)
        between = outcome.intervals if whole or not outcome.classes else {}
        self.roc.show_curve(curves.roc, between.get("auroc"), binary)
        self.precision_recall.show_curve(curves.precision_recall, between.get("auprc"), binary)
        self.calibration.show_curve(curves.calibration, outcome.metrics.get("ece") if whole else None)
        self.decision.show_curve(curves.decision)
        if outcome.classes and not outcome.binary:
            self.confusion.show_matrix(outcome.classes, outcome.matrix)
        else:
            names = [outcome.classes[1 - place], outcome.classes[place]] if outcome.classes else ["below", "above"]
            self.confusion.show_decisions(binary, names)

    def _show_figures(self, outcome: Outcome) -> None:
        font = tabular(self.font())
        self.figures.setRowCount(len(outcome.metrics))
        first = [name for name in FIRST if name in outcome.metrics]
        for at, name in enumerate(dict.fromkeys([*first, *outcome.metrics])):
            value = outcome.metrics[name]
            between = outcome.intervals.get(name)
            texts = [metric_name(name), f"{value:.3f}", f"{between[0]:.3f} to {between[1]:.3f}" if between else "–"]
            for place, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if place:
                    item.setFont(font)
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.figures.setItem(at, place, item)
            self.figures.setRowHeight(at, ROW_PX)
        head = self.figures.horizontalHeader().sizeHint().height()
        self.figures.setFixedHeight(head + ROW_PX * min(len(outcome.metrics), 10) + 4)

    def _show_cases(self, outcome: Outcome) -> None:
        answers = [Answer("Case", outcome.names, False)]
        if outcome.classes:
            named = np.array(outcome.classes, object)
            answers.append(Answer("Truth", named[outcome.target].tolist(), False))
            answers.append(Answer("Most probable", named[outcome.outputs.argmax(axis=1)].tolist(), False))
            place = 1 if outcome.binary else None
            if place is not None:
                answers.append(Answer(f"P({outcome.classes[place]})", outcome.outputs[:, place], True))
            answers.append(Answer("1 - P(truth)", outcome.loss, True))
        else:
            answers.append(Answer("Truth", outcome.target, True))
            answers.append(Answer("Predicted", outcome.outputs, True))
            answers.append(Answer("Error", outcome.loss, True))
        self.cases.show_answers(answers)
        self.table.sortByColumn(len(answers) - 1, Qt.SortOrder.DescendingOrder)

    def choose_case(self, name: str) -> None:
        """Mark a case in the table."""
        if self.outcome is None or name not in self.outcome.names:
            return
        row = self.outcome.names.index(name)
        order = self.cases.order
        shown = int(np.flatnonzero(order == row)[0]) if order is not None else row
        self.table.selectRow(shown)

    def _show_notices(self, result: Mapping[str, Any], remarks: list[str]) -> None:
        while (item := self.notices.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        trained = result.get("simulated")
        if trained is True or (isinstance(trained, Mapping) and trained.get("model")):
            self.notices.addWidget(notice("Trained on simulated data: it says nothing about patients.", "warn"))
        for text in remarks:
            self.notices.addWidget(notice(text, "warn"))
        found = [Finding(**{name: str(one.get(name, "")) for name in ("code", "severity", "message")})
                 for one in result.get("findings", []) if one.get("code") != "simulated"]  # fmt: skip
        for level, text in grouped(found)[:MOST_NOTICES]:
            self.notices.addWidget(notice(text, LEVELS.get(level, "info")))

    def _show_importance(self, result: Mapping[str, Any]) -> None:
        bars = bars_of(result.get("importance"))[:MOST_IMPORTANT]
        self.importance.show_bars(bars)
        self.importance.setVisible(bool(bars))
        self.importance_title.setVisible(bool(bars))


def bars_of(told: Any) -> list[Bar]:
    """Importance as kinds of models give it: numbers by name, or a list of mappings; the largest first.

    >>> [bar.name for bar in bars_of({"age": 0.1, "sex": 0.3})]
    ['sex', 'age']
    """
    if isinstance(told, Mapping):
        told = [{"name": name, "importance": value} for name, value in told.items()]
    bars = []
    for one in told or []:
        name = one.get("name", one.get("column", ""))
        value = next((one[key] for key in ("importance", "mean", "value") if key in one), None)
        interval = one.get("interval") or [one.get("low"), one.get("high")]
        if "sd" in one and isinstance(value, int | float):
            interval = [value - one["sd"], value + one["sd"]]
        if isinstance(value, int | float):
            bars.append(Bar(str(name), float(value), low=interval[0], high=interval[1]))
    return sorted(bars, key=lambda bar: -bar.value)
