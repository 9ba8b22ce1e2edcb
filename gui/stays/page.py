"""The Stays page: the stays of a folder on the left, one over time in the middle, a model's answer on the right."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSortFilterProxyModel, Qt
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QLineEdit,
    QListView,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.data.stays.read import read_stays
from core.data.stays.series import Stays
from core.imaging.titles import SUFFIXES
from core.inference.answers import named
from core.inference.package import AnyPackage
from gui.charts.bars import Bar, BarChart
from gui.context import AppContext
from gui.file_drops import FileDrops
from gui.jobs.page_work import PageWork
from gui.predict.kind_chooser import KindChooser
from gui.predict.model_card import choice_of, simulated
from gui.predict.status import FailureCard, ProgressCard
from gui.predict.stored import own_folder
from gui.stays.asking import DATA_KIND, predict_stay, said_of
from gui.stays.listed import StaysModel
from gui.stays.past import reopen
from gui.stays.reasons import ReasonsStrip
from gui.stays.series import OneStay, one_stay
from gui.stays.span import Span
from gui.stays.strips import CourseStrip, HoursStrip, SeriesStrips
from gui.train.data_check import LEVELS
from gui.widgets import ElidedLabel, EmptyState, answer_panel, button, label, notice, scrolled, section

if TYPE_CHECKING:
    from core.catalog import PredictionRow

STAY_FILES = "Stays (*.txt *.csv *.tsv *.psv *.parquet *.tar.gz *.tgz *.tar *.zip);;All files (*)"
MOST_BARS = 12
NO_MODEL = "No model for stays yet: pretrain an encoder, fine-tune it, and publish it."


class StaysPage(QWidget):
    """Opens a file, a folder or an archive of stays, and shows one at a time."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("stays-page")
        self.setProperty("role", "page")
        FileDrops(self).dropped.connect(self._take_dropped)
        self._context = context
        self._choice = choice_of(context)
        self.stay: OneStay | None = None
        self.answer: dict[str, Any] | None = None
        self._answers: dict[str, dict[str, Any]] = {}  # of these stays by the chosen model, by the stays' names
        self._path = Path()
        self._number = -1
        self.span = Span(self)
        self.model = StaysModel()
        self.train = button("Train on these stays", "train-stays", self._train, tip="Fill the Train page with them")
        self._build()
        self._show_state()

    # ---- layout -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.failure = FailureCard("stays-failure")
        self.progress = ProgressCard("stays-progress")
        self._work = PageWork(self._context.jobs, self.progress, self._failed, self)
        self._work.changed.connect(self._show_state)
        self.empty = EmptyState(
            "stays", "Drop a stay here",
            "A file, a folder or an archive of stays: one measurement a row with its time, variable and value, or a "
            "column a variable.",
            button("Choose a file…", "choose-stays", self.choose, role="primary", icon="folder"),
            button("Choose a folder…", "choose-stays-folder", self.choose_folder),
        )  # fmt: skip
        waiting = QWidget()
        inside = QVBoxLayout(waiting)
        inside.setContentsMargins(24, 24, 24, 24)
        inside.addWidget(self.failure)
        inside.addWidget(self.empty, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        for widget in (self._left(), self._middle(), self._right()):
            split.addWidget(widget)
        split.setStretchFactor(1, 1)
        split.setSizes([230, 800, 320])
        self.stack = QStackedWidget()
        self.stack.addWidget(waiting)
        self.stack.addWidget(split)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.progress)
        outer.addWidget(self.stack, 1)

    def toolbar_widgets(self) -> list[QWidget]:
        """What the window's bar shows for this page."""
        return [
            button("Choose a file…", "open-stays", self.choose, icon="folder"),
            button("Choose a folder…", "open-stays-folder", self.choose_folder),
        ]

    def _left(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "panel")
        self.name = ElidedLabel("", "strong")
        self.count = label("", "dim")
        self.search = QLineEdit()
        self.search.setObjectName("stays-search")
        self.search.setAccessibleName("Find a stay")
        self.search.setPlaceholderText("Find a stay")
        self.search.setClearButtonEnabled(True)
        self.found = QSortFilterProxyModel()
        self.found.setSourceModel(self.model)
        self.search.textChanged.connect(self.found.setFilterFixedString)
        self.list = QListView()
        self.list.setObjectName("stays-list")
        self.list.setAccessibleName("Stays")
        self.list.setModel(self.found)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.selectionModel().currentChanged.connect(
            lambda index: index.isValid() and self.show_stay(self.found.mapToSource(index).row())
        )
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 8, 12)
        column.setSpacing(8)
        for widget in (self.name, self.count, self.search):
            column.addWidget(widget)
        column.addWidget(self.list, 1)
        column.addWidget(self.train)
        return frame

    def _middle(self) -> QWidget:
        self.title = ElidedLabel("", "title")
        self.facts = label("", "dim", wrap=True)
        self.strips = SeriesStrips(self.span)
        self.hours, self.reasons, self.course = HoursStrip(self.span), ReasonsStrip(self.span), CourseStrip(self.span)
        self.hint = ElidedLabel(
            "Shaded: normal in adults · wheel: zoom · drag: move · double-click: all of it", "small",
            mode=Qt.TextElideMode.ElideRight,
        )  # fmt: skip
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(8, 12, 8, 8)
        column.setSpacing(6)
        head = QVBoxLayout()
        head.setContentsMargins(12, 0, 12, 0)
        for widget in (self.title, self.facts, self.hint):
            head.addWidget(widget)
        column.addLayout(head)
        area = scrolled(self.strips)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        # The strips end where the scroll bar begins: so does what stands above and below them.
        for strip in (self.hours, self.reasons, self.course):
            strip.right += area.verticalScrollBar().sizeHint().width()
        column.addWidget(self.hours)
        column.addWidget(area, 1)
        column.addWidget(self.reasons)
        column.addWidget(self.course)
        return middle

    def _right(self) -> QFrame:
        self.chooser = KindChooser(self._choice, "stays-model", "Model for stays", DATA_KIND)
        self.chooser.filled.connect(self._show_state)
        self.chooser.currentIndexChanged.connect(self._model_changed)
        self.about = label("", "dim", wrap=True)
        self.simulated = notice("Trained on simulated data.", "warn")
        self.predict = button("Predict this stay", "predict-stay", self._predict, role="primary")
        self.figure = label("", "figure")
        self.figure.setObjectName("stay-figure")
        self.between = label("", "dim", wrap=True)
        self.variables_title = section("What speaks for it, and against")
        self.variables = BarChart("stay-variables", "What each variable adds to the answer", form="{:+.2f}")
        self._notices = QVBoxLayout()
        self._notices.setSpacing(8)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(section("Prediction"))
        for widget in (self.chooser, self.about, self.simulated, self.predict, self.figure, self.between):
            column.addWidget(widget)
        column.addLayout(self._notices)
        column.addWidget(self.variables_title)
        column.addWidget(self.variables)
        column.addStretch(1)
        return answer_panel(inside, 280)

    # ---- opening ------------------------------------------------------------------------------------------------

    def _take_dropped(self, paths: list[Path]) -> None:
        """What is a scan by its name opens on the page of scans."""
        if paths[0].name.lower().endswith(SUFFIXES):
            self._context.open_requested.emit(paths)
        else:
            self.open(paths[0])

    def choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Choose stays", "", STAY_FILES)
        if chosen:
            self.open(Path(chosen))

    def choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose a folder of stays")
        if chosen:
            self.open(Path(chosen))

    def open(self, path: Path) -> None:
        """Read stays as a job."""
        self.failure.hide()
        self._work.run(
            f"Opening {path.name}", lambda control: read_stays(path, control), lambda stays: self._opened(path, stays)
        )

    def open_prediction(self, row: PredictionRow) -> None:
        """Show an earlier prediction: its stays again, with the answers."""
        self.failure.hide()
        self._work.run(f"Opening {row.scan.name}", partial(reopen, row), partial(self._reopened, row))

    def _reopened(self, row: PredictionRow, found: tuple[Stays, dict[str, dict[str, Any]], int]) -> None:
        stays, answers, number = found
        self.chooser.choose(self._choice.find_any(row.model, row.model_version))
        self._opened(row.scan, stays, answers)
        self.list.setCurrentIndex(self.found.mapFromSource(self.model.index(number)))

    def _opened(self, path: Path, stays: Stays, answers: dict[str, dict[str, Any]] | None = None) -> None:
        self._path, self._answers = path, answers or {}
        self.search.clear()
        self.model.show_stays(stays)
        self.name.setText(path.name)
        self.count.setText(f"{len(stays):,} stays" if len(stays) != 1 else "1 stay")
        self._number = -1
        self.list.setCurrentIndex(self.found.index(0, 0))
        self._show_state()

    def _failed(self, error: Exception) -> None:
        self.failure.show_error(error)
        if self.model.stays is not None:
            self._context.tell(error)

    def _train(self) -> None:
        self._context.training_requested.emit(self._path, "stays", {})

    # ---- a stay -------------------------------------------------------------------------------------------------

    def show_stay(self, number: int) -> None:
        """Show one of the stays by its number."""
        stays = self.model.stays
        if stays is None or number == self._number:
            return
        self._number = number
        self.stay = one_stay(stays, number)
        self.title.setText(f"Stay {self.stay.id}")
        self.facts.setText(" · ".join(f"{name} {text}" for name, text in self.stay.facts))
        self.strips.show_series(self.stay.series)
        self.span.show_all(self.stay.end)
        self._forget()
        if self.stay.id in self._answers:
            self._take(self._answers[self.stay.id])

    @property
    def chosen(self) -> AnyPackage | None:
        return self.chooser.current

    def _predict(self) -> None:
        package, stays, number, path = self.chosen, self.model.stays, self._number, self._path
        if package is None or stays is None or number < 0 or self._work.running:
            return

        def done(answer: dict[str, Any]) -> None:
            self._context.predictions_changed.emit()
            if package != self.chosen or stays is not self.model.stays:
                return
            self._answers[stays.ids[number]] = answer
            if number == self._number:
                self._forget()
                self._take(answer)

        self._work.run(
            f"Predicting stay {stays.ids[number]}",
            lambda control: predict_stay(package, path, stays, number, own_folder(), control), done,
        )  # fmt: skip

    def _take(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        asked = str(answer.get("explained", answer.get("interval_of", "score")))
        figure, told = said_of(answer, asked)
        self.figure.setText(figure)
        self.between.setText(told)
        self.figure.setAccessibleName(f"{figure}, {told}")
        for finding in answer.get("findings", []):
            self._notices.addWidget(notice(finding["message"], LEVELS.get(finding["severity"], "info")))
        self._show_reasons(answer, asked)
        self._show_state()

    def _show_reasons(self, answer: Mapping[str, Any], asked: str) -> None:
        course = answer.get("course") or []
        if course:
            of = named(str(answer.get("outcome", "")), asked)
            self.course.setToolTip(str(answer.get("course_note", "")))
            self.course.show_course(of, *([one[key] for one in course] for key in ("hours", "value", "interval")))
        told = (answer.get("contributions") or {}).get("variables") or {}
        last, first = self.stay.last() if self.stay else {}, list(told.items())[:MOST_BARS]
        self.variables.show_bars([Bar(name, float(v), last.get(name, "")) for name, v in first])
        if self.stay is not None and told:
            self.strips.show_series(self.stay.in_order(told), told)
        hours = (answer.get("contributions") or {}).get("hours") or []
        self.reasons.show_bars([(*one["hours"], one["value"]) for one in hours])

    def _model_changed(self, _place: int) -> None:
        self._answers = {}
        self._forget()

    def _forget(self) -> None:
        """An answer to another stay or of another model is no answer."""
        self.answer = None
        self.strips.show_adds({})
        while (item := self._notices.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        self._show_state()

    # ---- what is seen -------------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        """Show the parts that belong to the state; there is no other place that decides it."""
        package, running, answered = self.chosen, self._work.running, self.answer is not None
        self.stack.setCurrentIndex(1 if self.model.stays is not None else 0)
        self.empty.setVisible(not running)
        self.chooser.setVisible(package is not None)
        self.about.setText(package.summary if package is not None else NO_MODEL)
        self.simulated.setVisible(package is not None and simulated(package))
        self.predict.setVisible(package is not None)
        self.train.setEnabled(self.model.stays is not None and not running)
        self.predict.setEnabled(not running and self.stay is not None)
        self.predict.setText("Predict again" if answered else "Predict this stay")
        for widget in (self.figure, self.between):
            widget.setVisible(answered)
        reasons = answered and bool(self.variables.bars)
        self.variables.setVisible(reasons)
        self.variables_title.setVisible(reasons)
        self.reasons.setVisible(reasons)
        self.course.setVisible(answered and bool((self.answer or {}).get("course")))

    def shut_down(self) -> None:
        """The window closes."""
        self._work.cancel()
