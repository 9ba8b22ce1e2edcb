"""The Review page: how well a model did on labelled cases, the worst first, and each with truth and prediction."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSortFilterProxyModel, Qt
from PySide6.QtGui import QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.control import JobControl
from gui.context import AppContext
from gui.jobs.page_work import PageWork
from gui.predict.status import FailureCard, ProgressCard
from gui.review.case_view import CaseView
from gui.review.cases import CASE_ROLE, MEAN, SORT_ROLE, CasesModel
from gui.review.form import Asked, EvaluateForm
from gui.review.listed import Listed, of_structures, read_evaluations, words
from gui.review.outcome_view import OutcomeView
from gui.review.reporting import ask_report, save_report
from gui.review.strip import Strip, StripPlot
from gui.review.summary import SummaryTable, warnings_of
from gui.theme.structures import structure_colours
from gui.theme.theme import theme
from gui.widgets import EmptyState, answer_panel, button, label, notice, section, tool_button
from gui.widgets.trash_bar import TrashBar

if TYPE_CHECKING:
    from core.catalog.evaluations import EvaluationRow

LEFT_PX, CASES_LEAST_PX = 560, 140


class ReviewPage(QWidget):
    """Figures, plot and cases on the left, the chosen case on the right."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("review-page")
        self.setProperty("role", "page")
        self._context = context
        self._listed = Listed([], {})
        self.shown: EvaluationRow | None = None
        self._case = ""
        self._build()
        self._shortcuts()
        theme().changed.connect(self._show_metric)
        self._show_state()

    # ---- what it is made of -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.form = EvaluateForm(self._context)
        self.form.evaluate_requested.connect(self.evaluate)
        self.form.cancelled.connect(self._close_form)
        self.progress = ProgressCard("evaluation-progress")
        self._work = PageWork(self._context.jobs, self.progress, self._failed, self)
        self._work.changed.connect(self._show_state)
        self.failure = FailureCard("evaluation-failure")
        first = button("Evaluate a model…", "evaluate-first", self.ask, role="primary")
        self.empty = EmptyState(
            "review", "Nothing evaluated yet",
            "Measure a model on labelled cases: every case is kept here, the worst first, to be looked at with its"
            " truth and its prediction.", first,
        )  # fmt: skip
        self.case_view = CaseView(self._context)
        self.case_view.step_requested.connect(self.step)
        self._splitter = QSplitter()
        self._splitter.setHandleWidth(1)
        self._splitter.addWidget(self._left_side())
        self._splitter.addWidget(self.case_view)
        self._splitter.setSizes([LEFT_PX, 880])
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setCollapsible(0, False)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._splitter)
        self.outcomes = OutcomeView(self._context)
        self._stack.addWidget(self.outcomes)
        self.trash = TrashBar("review-")
        self.trash.undone.connect(self._bring_back)
        self._top = QFrame()
        top = QVBoxLayout(self._top)
        top.setContentsMargins(24, 16, 24, 8)
        for widget in (self.form, self.progress, self.failure):
            widget.setMaximumWidth(720)
            widget.hide()
            top.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.trash)
        column.addWidget(self._top)
        column.addWidget(self._stack, 1)
        self._tools = self._make_tools()

    def _make_tools(self) -> list[QWidget]:
        self.chooser = QComboBox()
        self.chooser.setObjectName("review-chooser")
        self.chooser.setAccessibleName("Evaluation")
        self.chooser.setMinimumWidth(380)
        self.chooser.activated.connect(lambda place: self.show_evaluation(self._listed.rows[place]))
        self.report_button = button("Report…", "review-report", self._ask_report, tip="Save a report as one HTML file")
        self.remove_button = tool_button("trash", "review-remove", "Delete this evaluation", self.remove)
        evaluate = button("Evaluate…", "review-evaluate", self.ask, role="primary")
        return [self.chooser, self.report_button, self.remove_button, evaluate]

    def toolbar_widgets(self) -> list[QWidget]:
        """What the window's bar shows for this page."""
        return list(self._tools)

    def _left_side(self) -> QFrame:
        self.metric_box = QComboBox()
        self.metric_box.setObjectName("review-metric")
        self.metric_box.setAccessibleName("Metric")
        self.metric_box.currentIndexChanged.connect(lambda _: self._show_metric())
        self.summary = SummaryTable()
        self.warnings = QVBoxLayout()
        self.warnings.setSpacing(6)
        self.strip = StripPlot()
        self.strip.case_chosen.connect(self.open_case)
        self.model = CasesModel()
        self.sorted = QSortFilterProxyModel()
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(SORT_ROLE)
        self.table = QTableView()
        self.table.setObjectName("review-cases")
        self.table.setAccessibleName("Cases")
        self.table.setModel(self.sorted)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setSortingEnabled(True)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(28)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.clicked.connect(lambda index: self.open_case(index.data(CASE_ROLE)))
        self.table.activated.connect(lambda index: self.open_case(index.data(CASE_ROLE)))
        self.table.setMinimumHeight(CASES_LEAST_PX)
        inside = QWidget()
        head = QHBoxLayout()
        head.addWidget(section("Figures"))
        head.addStretch(1)
        head.addWidget(self.metric_box)
        self.made = label("", "small", wrap=True)
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addLayout(head)
        column.addLayout(self.warnings)
        column.addWidget(self.summary)
        column.addWidget(self.strip)
        column.addWidget(section("Cases"))
        column.addWidget(self.table, 1)
        column.addWidget(self.made)
        return answer_panel(inside, 460)

    def _shortcuts(self) -> None:
        view = self.case_view
        for keys, act in (
            ("T", view.truth.toggle), ("P", view.prediction.toggle), ("N", partial(self.step, 1)),
            ("Shift+N", partial(self.step, -1)), ("D", view.go_to_worst),
        ):  # fmt: skip
            made = QShortcut(QKeySequence(keys), self)
            made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            made.activated.connect(act)

    # ---- evaluations --------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reload()  # the command line may have added some

    def reload(self, show: int = 0) -> None:
        """Read the list of evaluations anew; put up the one of that id, else the one shown, else the newest."""
        self._context.jobs.run(
            "Reading the evaluations", read_evaluations, done=partial(self._take, show), kind="background"
        )

    def _take(self, show: int, listed: Listed) -> None:
        self._listed = listed
        before = self.shown.id if self.shown is not None else 0
        self.chooser.clear()
        for row in listed.rows:
            self.chooser.addItem(words(row))
        if self.metric_box.count() == 0:
            for key, (title, _) in listed.metrics.items():
                self.metric_box.addItem(title, key)
        wanted = next(
            (row for row in listed.rows if row.id == (show or before)), listed.rows[0] if listed.rows else None
        )
        if wanted is None:
            self.shown = None
        elif wanted.id != before:
            self.show_evaluation(wanted)
        else:
            self.chooser.setCurrentIndex([row.id for row in listed.rows].index(before))
        self._show_state()

    def show_evaluation(self, row: EvaluationRow) -> None:
        """Put up an evaluation, its worst cases first."""
        self.shown, self._case = row, ""
        self.chooser.setCurrentIndex([one.id for one in self._listed.rows].index(row.id))
        self.case_view.clear()
        if not of_structures(row):
            self.outcomes.show_evaluation(row, warnings_of(row))
            self._show_state()
            return
        while (item := self.warnings.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        for text in warnings_of(row):
            self.warnings.addWidget(notice(text, "warn"))
        self.made.setText(f"{row.data} · surfaces agree within {row.result['tolerance_mm']:g} mm")
        self._show_metric()
        self._show_state()

    def _show_metric(self) -> None:
        row, metric = self.shown, self.metric_box.currentData()
        if row is None or metric is None or not of_structures(row):
            return
        self.model.show_cases(row.cases, metric)
        labels = row.result["labels"]
        structures = [{"label": value, "name": name} for name, value in labels.items()]
        colours = structure_colours(structures)
        self.summary.show_figures(row.result, metric)
        self.strip.show_strips(
            [case["case"] for case in row.cases],
            [Strip(name, colours[labels[name]], [case[metric][name] for case in row.cases]) for name in labels],
        )
        low_is_worse = self._listed.metrics[metric][1]
        self.table.sortByColumn(MEAN, Qt.SortOrder.AscendingOrder if low_is_worse else Qt.SortOrder.DescendingOrder)
        for column in range(self.model.columnCount() - 1):
            self.table.resizeColumnToContents(column)
        self._mark(self._case)

    def remove(self) -> None:
        """Move the evaluation shown to the trash, with the predictions that no other one shows; Undo brings it back."""
        row = self.shown
        if row is None:
            return

        def work(_control: JobControl) -> str:
            from core.catalog import Catalog
            from core.catalog.evaluations import to_trash

            with Catalog() as catalog:
                return to_trash(catalog, row.id)

        def done(name: str) -> None:
            from core.catalog.records import TRASH_DAYS

            self.trash.offer(words(row), TRASH_DAYS, name)
            self.reload()

        self.case_view.clear()
        self._context.jobs.run("Deleting the evaluation", work, done=done)

    def _bring_back(self, name: str) -> None:
        def work(_control: JobControl) -> int:
            from core.catalog import Catalog
            from core.catalog.evaluations import from_trash

            with Catalog() as catalog:
                return from_trash(catalog, name)

        self._context.jobs.run("Putting the evaluation back", work, done=lambda id: self.reload(show=id))

    # ---- evaluating ---------------------------------------------------------------------------------------------

    def ask(self, run_or_model: str = "") -> None:
        """Offer the form, for a run or a model."""
        self.form.fill()
        self.form.choose(run_or_model)
        self.form.show()
        self.failure.hide()
        self._show_state()
        self.form.data.setFocus()

    def _close_form(self) -> None:
        self.form.hide()
        self._show_state()

    def evaluate(self, asked: Asked) -> None:
        """Evaluate as a job that shows how far it is and can be cancelled."""
        if self._work.running:
            return

        def work(control: JobControl) -> int:
            from gui.review.evaluating import evaluate_any

            return evaluate_any(asked.model, asked.data, asked.split, control)

        self.form.hide()
        self.failure.hide()
        self._work.run(f"Evaluating {asked.title}", work, lambda id: self.reload(show=id))

    def _failed(self, error: Exception) -> None:
        self.failure.show_error(error)
        self.form.show()
        self._show_state()

    # ---- cases --------------------------------------------------------------------------------------------------

    def open_case(self, case: str) -> None:
        """Show a case in the views."""
        row = self.shown
        if row is None or case not in row.files or case == self._case:
            return
        self._case = case
        self._mark(case)
        if not self.isAncestorOf(self.focusWidget() or self.window()):
            self.table.setFocus()  # so that the keys of the page work at once
        self.case_view.show_case(case, row.files[case], row.result["labels"])

    def step(self, by: int) -> None:
        """Show the next case of the table as it is sorted, or the previous."""
        order = [self.sorted.index(n, 0).data(CASE_ROLE) for n in range(self.sorted.rowCount())]
        if order:
            place = order.index(self._case) + by if self._case in order else 0
            self.open_case(order[min(max(place, 0), len(order) - 1)])

    def _mark(self, case: str) -> None:
        self.strip.choose(case)
        for number in range(self.sorted.rowCount()):
            if case and self.sorted.index(number, 0).data(CASE_ROLE) == case:
                self.table.selectRow(number)

    def _ask_report(self) -> None:
        if self.shown is not None and (target := ask_report(self.shown.model, self)) is not None:
            self.save_report(target)

    def save_report(self, target: Path) -> None:
        if self.shown is not None:
            save_report(self._context, self.shown, target)

    # ---- what is seen -------------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        """Show the parts that belong to the state; there is no other place that decides it."""
        has_any, running = self.shown is not None, self._work.running
        self._stack.setCurrentIndex(0 if self.shown is None else 1 if of_structures(self.shown) else 2)
        self.empty.setVisible(not has_any and not running and self.form.isHidden())
        self._top.setVisible(running or not self.form.isHidden() or not self.failure.isHidden())
        self.chooser.setVisible(has_any)
        self.remove_button.setVisible(has_any)
        self.report_button.setVisible(has_any)

    def shut_down(self) -> None:
        """The window closes."""
        self.outcomes.clear()
        self.case_view.close_views()
