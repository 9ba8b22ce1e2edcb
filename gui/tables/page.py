"""The Tables page: a table's columns on the left, its rows in the middle, what is done with it on the right."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QFrame,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.data.tables.read import SUFFIXES, is_table
from core.inference.package import AnyPackage
from gui.context import AppContext
from gui.jobs.page_work import PageWork
from gui.predict.kind_chooser import KindChooser
from gui.predict.model_card import choice_of, simulated
from gui.predict.status import FailureCard, ProgressCard
from gui.predict.stored import model_gone, own_folder
from gui.tables.columns_view import ColumnsView
from gui.tables.past import reopen
from gui.tables.patient import PatientView
from gui.tables.patient_asking import read_patient
from gui.tables.predicting import DATA_KIND, Predicted, predict_table
from gui.tables.reading import OpenedTable, open_table
from gui.tables.row_card import RowCard
from gui.tables.rows import RowsModel
from gui.train.data_check import LEVELS, grouped
from gui.widgets import EmptyState, answer_panel, button, label, notice, section

if TYPE_CHECKING:
    from core.catalog import PredictionRow

TABLE_FILES = f"Tables ({' '.join('*' + suffix for suffix in SUFFIXES)});;All files (*)"
SHOWN_FINDINGS = 8
COLUMN_PX = 110
NO_MODEL = "No model for tables yet: train one and publish it."


class TablesPage(QWidget):
    """One table at a time."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("tables-page")
        self.setProperty("role", "page")
        self.setAcceptDrops(True)
        self.context = context
        self.opened: OpenedTable | None = None
        self.predicted: Predicted | None = None
        self._path: Path | None = None
        self.rows = RowsModel()
        self.columns = ColumnsView()
        self._choice = choice_of(context)
        self._build()
        self.columns.kind_wanted.connect(self._mend)
        self.columns.column_chosen.connect(self._show_column)
        self.outcome.currentIndexChanged.connect(self._show_actions)
        self._show_state()

    # ---- layout -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.empty = EmptyState(
            "tables", "Drop a table here",
            "A CSV, TSV, Excel or Parquet file with one row a case: look at its columns, train a model on it, or have "
            "a model predict its rows.",
            button("Choose a table…", "choose-table", self.choose, role="primary", icon="folder"),
            button("One patient…", "first-patient", lambda: self.one_patient.setChecked(True)),
        )  # fmt: skip
        self.progress = ProgressCard("table-progress")
        self._work = PageWork(self.context.jobs, self.progress, self._failed, self)
        self._work.changed.connect(self._show_state)
        self.failure = FailureCard("table-failure")
        waiting = QWidget()
        inside = QVBoxLayout(waiting)
        inside.setContentsMargins(24, 24, 24, 24)
        inside.addWidget(self.failure)
        inside.addWidget(self.empty, 1)
        self.view = QTableView()
        self.view.setTabKeyNavigation(False)
        self.view.setObjectName("table-rows")
        self.view.setAccessibleName("Rows of the table")
        self.view.setModel(self.rows)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setWordWrap(False)
        self.view.setShowGrid(False)
        self.view.setSortingEnabled(True)
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.view.horizontalHeader().setDefaultSectionSize(COLUMN_PX)
        self.view.horizontalHeader().setHighlightSections(False)
        self.view.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)
        self.view.verticalHeader().setDefaultSectionSize(28)
        self.view.selectionModel().currentRowChanged.connect(lambda index: self._show_row(index.row()))
        left = QFrame()
        left.setProperty("role", "panel")
        column = QVBoxLayout(left)
        column.setContentsMargins(16, 12, 8, 12)
        column.addWidget(self.columns)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        for widget in (left, self.view, self._right()):
            split.addWidget(widget)
        split.setStretchFactor(1, 1)
        split.setSizes([420, 640, 320])
        self.stack = QStackedWidget()
        self.patient = PatientView(self.context)
        for widget in (waiting, split, self.patient):
            self.stack.addWidget(widget)
        self.one_patient = button("One patient", "one-patient", tip="Type in one patient's values")
        self.one_patient.setCheckable(True)
        self.one_patient.toggled.connect(self._show_state)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        top = QWidget()
        above = QVBoxLayout(top)
        above.setContentsMargins(16, 8, 16, 8)
        above.addWidget(self.progress)
        self._top = top
        outer.addWidget(top)
        outer.addWidget(self.stack, 1)

    def _right(self) -> QFrame:
        self.name = label("", "title", wrap=True)
        self.name.setObjectName("table-name")
        self.line = label("", "dim")
        self.outcome = QComboBox()
        self.outcome.setObjectName("table-outcome")
        self.outcome.setAccessibleName("The column that is predicted")
        self.outcome.setSizePolicy(self.outcome.sizePolicy().Policy.Ignored, self.outcome.sizePolicy().Policy.Fixed)
        self.train = button("Train on this table", "train-table", self._train, tip="Fill the Train page with it")
        self.model = KindChooser(self._choice, "table-model", "Model to predict with", DATA_KIND)
        self.model.currentIndexChanged.connect(self._show_actions)
        self.model.filled.connect(self._show_actions)
        self.about = label("", "dim", wrap=True)
        self.simulated = label("! Trained on simulated data", "warn", wrap=True)
        self.predict = button("Predict the rows", "predict-table", self._predict, role="primary")
        self.saved = button("", "show-predictions", self._show_saved, role="link", tip="Show the folder")
        self.row_card = RowCard(self.context)
        self._notices = QVBoxLayout()
        self._notices.setSpacing(8)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        for widget in (self.name, self.line):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addWidget(section("Train"))
        for widget in (self.outcome, self.train):
            column.addWidget(widget)
        column.addSpacing(12)
        column.addWidget(section("Predict"))
        for widget in (self.model, self.about, self.simulated, self.predict, self.saved, self.row_card):
            column.addWidget(widget)
        column.addSpacing(12)
        column.addWidget(section("Findings"))
        column.addLayout(self._notices)
        column.addStretch(1)
        return answer_panel(inside, 280)

    def toolbar_widgets(self) -> list[QWidget]:
        """What the window's bar shows for this page."""
        return [self.one_patient, button("Choose a table…", "open-table", self.choose, icon="folder")]

    # ---- opening ------------------------------------------------------------------------------------------------

    def choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Choose a table", "", TABLE_FILES)
        if chosen:
            self.open(Path(chosen))

    def open(self, path: Path, kinds: dict[str, Any] | None = None) -> None:
        """Read a table as a job; `kinds`: of columns that hold something else than was guessed."""
        self._path = path
        self.failure.hide()
        self._work.run(f"Opening {path.name}", lambda control: open_table(path, kinds or {}, control), self._opened)

    def _opened(self, opened: OpenedTable) -> None:
        kept = self.outcome.currentText()
        self.opened, self.predicted = opened, None
        self.one_patient.setChecked(False)
        self.rows.show_table(opened)
        self.columns.show_table(opened)
        self.name.setText(opened.path.name)
        self.line.setText(opened.line())
        self.outcome.clear()
        self.outcome.addItem("choose the outcome", "")
        for name in opened.table.names:
            self.outcome.addItem(name, name)
        self.outcome.setCurrentIndex(max(self.outcome.findData(kept), 0))
        self.row_card.clear()
        self._show_findings([(LEVELS[level], text) for level, text in grouped(opened.findings)])
        self._show_state()

    def open_prediction(self, row: PredictionRow) -> None:
        """Show an earlier prediction: its table again, or its patient, with the answers."""
        self._work.cancel()
        self.failure.hide()
        model = self._choice.find_any(row.model, row.model_version)
        if row.given.get("patient"):
            self._open_patient(row, model)
            return
        self._work.run(f"Opening {row.scan.name}", partial(reopen, row, model), self._reopened)

    def _open_patient(self, row: PredictionRow, model: AnyPackage | None) -> None:
        if model is None:
            self.context.tell(model_gone(row))
            return
        self.one_patient.setChecked(True)
        self.context.jobs.run(
            "Opening one patient", lambda _control: read_patient(row),
            done=lambda found: self.patient.show_kept(model, *found), failed=self.context.tell,
        )  # fmt: skip

    def _reopened(self, found: tuple[OpenedTable, Predicted]) -> None:
        opened, predicted = found
        self._path = opened.path
        self._opened(opened)
        self.model.choose(predicted.model)
        self._take(predicted)

    def _failed(self, error: Exception) -> None:
        self.failure.show_error(error)
        if self.opened is not None:
            self.context.tell(error)
        self._show_state()

    def _mend(self, column: str, kind: str) -> None:
        if self.opened is not None:
            self.open(self.opened.path, {**self.opened.kinds, column: kind})

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        tables = _dropped(event)
        if tables:
            event.acceptProposedAction()
            self.open(tables[0])

    # ---- training and predicting --------------------------------------------------------------------------------

    def _train(self) -> None:
        if self.opened is not None:
            values = {"data.target": self.outcome.currentData() or "", "data.kinds": dict(self.opened.kinds)}
            self.context.training_requested.emit(self.opened.path, "table", values)

    @property
    def chosen_model(self) -> AnyPackage | None:
        return self.model.current

    def _predict(self) -> None:
        package, opened = self.chosen_model, self.opened
        if package is None or opened is None or self._work.running:
            return
        out = own_folder()
        self._work.run(
            f"Predicting {opened.path.name}", lambda control: predict_table(package, opened, out, control),
            self._answered,
        )  # fmt: skip

    def _answered(self, predicted: Predicted) -> None:
        self._take(predicted)
        self.context.predictions_changed.emit()

    def _take(self, predicted: Predicted) -> None:
        self.predicted = predicted
        self.rows.show_answers(predicted.answers)
        self.view.scrollToTop()
        self.view.selectRow(0)
        told = [
            (LEVELS.get(one.get("severity", ""), "info"), str(one.get("message", ""))) for one in predicted.findings
        ]
        own = grouped(self.opened.findings) if self.opened else []
        self._show_findings([*told, *((LEVELS[level], text) for level, text in own)])
        self._show_state()

    def _show_saved(self) -> None:
        if self.predicted is not None and self.predicted.output is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.predicted.output.parent)))

    # ---- what is seen -------------------------------------------------------------------------------------------

    def _show_row(self, shown: int) -> None:
        if self.opened is None or self.predicted is None or shown < 0:
            self.row_card.clear()
        else:
            self.row_card.show_row(self.opened, self.predicted, self.rows.row_of(shown))

    def _show_column(self, name: str) -> None:
        if self.opened is not None:
            place = self.opened.table.names.index(name) + len(self.rows.answers)
            row = max(self.view.currentIndex().row(), self.view.rowAt(0), 0)
            self.view.scrollTo(self.rows.index(row, place))

    def _show_findings(self, findings: list[tuple[str, str]]) -> None:
        while self._notices.count():
            self._notices.takeAt(0).widget().deleteLater()
        for level, text in findings[:SHOWN_FINDINGS]:
            self._notices.addWidget(notice(text, level))
        if len(findings) > SHOWN_FINDINGS:
            self._notices.addWidget(label(f"and {len(findings) - SHOWN_FINDINGS} more findings", "dim"))
        if not findings:
            self._notices.addWidget(label("✓ Checked: nothing wrong was found", "ok", wrap=True))

    def _show_state(self) -> None:
        """Show the parts that belong to the state; there is no other place that decides it."""
        self.stack.setCurrentIndex(2 if self.one_patient.isChecked() else 1 if self.opened is not None else 0)
        self._top.setVisible(self._work.running)
        self.empty.setVisible(not self._work.running)
        self._show_actions()

    def _show_actions(self) -> None:
        package, busy = self.chosen_model, self._work.running
        self.train.setEnabled(self.opened is not None and not busy)
        self.model.setVisible(package is not None)
        self.about.setText(package.summary if package is not None else NO_MODEL)
        self.simulated.setVisible(package is not None and simulated(package))
        self.predict.setVisible(package is not None)
        self.predict.setEnabled(not busy and self.opened is not None)
        output = self.predicted.output if self.predicted is not None else None
        self.saved.setVisible(output is not None)
        self.saved.setText(f"Saved {output.name}" if output is not None else "")

    def shut_down(self) -> None:
        """The window closes."""
        self._work.cancel()
        self.patient.shut_down()
        self.row_card.clear()


def _dropped(event: Any) -> list[Path]:
    paths = (Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile())
    return [path for path in paths if path.is_file() and is_table(path)]
