"""The Risk page: a subject's images and values on the left, the images in the middle, the answer on the right."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.data.tables.read import is_table
from core.inference.package import AnyPackage
from gui.context import AppContext
from gui.file_drops import FileDrops
from gui.jobs.jobs import Job
from gui.jobs.page_work import PageWork
from gui.predict.kind_chooser import KindChooser
from gui.predict.model_card import choice_of, simulated, title
from gui.predict.status import FailureCard, ProgressCard
from gui.predict.stored import model_gone, own_folder
from gui.risk.asking import DATA_KIND, STRUCTURES, Answer, Subject, ask, open_image, overlay_of
from gui.risk.legend import Legend
from gui.risk.past import reopen, subject_of
from gui.risk.place import ImagePlace, kind_by_name
from gui.risk.reporting import save_report
from gui.risk.result import RiskResult, mean_score
from gui.risk.values import fields_of
from gui.theme.structures import structure_colours
from gui.values.form import ValuesForm
from gui.viewer.scene import OpenedScan, Scene
from gui.viewer.slice_grid import SliceGrid
from gui.widgets import EmptyState, answer_panel, button, label, notice, section

if TYPE_CHECKING:
    from core.catalog import PredictionRow

IMAGES = {"mri": "MRI", "pet": "PET"}


class RiskPage(QWidget):
    """One subject at a time; any of the parts may be missing."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("risk-page")
        self.setProperty("role", "page")
        FileDrops(self).dropped.connect(self._take_dropped)
        self._context = context
        self._choice = choice_of(context)
        self._fields_of = ""
        self._reading: Job | None = None
        self._looked = ""
        self._scans: dict[str, OpenedScan] = {}
        self.answer: Answer | None = None
        self.scene = Scene()
        self.scene.set_radiological(context.settings.value("viewer/radiological", True, type=bool))
        self.grid = SliceGrid(context, self.scene)
        self._build()
        self.model.filled.connect(self._show_models)
        self._show_models()

    # ---- layout -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        for widget in (self._left(), self._middle(), self._right()):
            split.addWidget(widget)
        split.setStretchFactor(1, 1)
        split.setSizes([430, 640, 330])
        split.setCollapsible(1, False)
        to_train = button("Train one", "risk-train", lambda: self._context.page_requested.emit("train"), role="primary")
        to_models = button("Import one", "risk-import", lambda: self._context.page_requested.emit("models"))
        self.empty = EmptyState(
            "risk", "No model of risk yet",
            "Train one on a cohort of MRI, PET and clinical values and publish it, or import one.", to_train, to_models,
        )  # fmt: skip
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(split)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.stack)

    def _left(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "panel")
        frame.setMinimumWidth(340)
        self.model = KindChooser(self._choice, "risk-model", "Model of risk", DATA_KIND)
        self.model.currentIndexChanged.connect(lambda _: self._show_model())
        self.about = label("", "dim", wrap=True)
        self.simulated = notice("Trained on simulated data: it says nothing about patients.", "warn")
        self.simulated.setObjectName("risk-simulated")
        self.subject = QLineEdit()
        self.subject.setObjectName("risk-subject")
        self.subject.setAccessibleName("Name of the subject")
        self.subject.setPlaceholderText("Subject (optional)")
        self.places = {kind: ImagePlace(kind, words) for kind, words in IMAGES.items()}
        images = QHBoxLayout()
        images.setSpacing(8)
        for kind, place in self.places.items():
            place.changed.connect(partial(self._image_changed, kind))
            place.look_requested.connect(partial(self.look_at, kind))
            images.addWidget(place)
        self.form = ValuesForm(self._context, "clinical", "Clinical values", "Plausible")
        self.form.changed.connect(self._show_state)
        self.predict = button("Predict", "risk-predict", self._predict, role="primary")
        self.reason = label("", "dim", wrap=True)
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        for widget in (self.model, self.about, self.simulated, self.subject):
            column.addWidget(widget)
        column.addLayout(images)
        column.addWidget(section("Clinical values"))
        column.addWidget(self.form, 1)
        column.addWidget(self.reason)
        column.addWidget(self.predict)
        return frame

    def _middle(self) -> QWidget:
        self._bar = QFrame()
        self._bar.setProperty("role", "bar")
        self._bar.setFixedHeight(40)
        group = QButtonGroup(self)
        group.setExclusive(True)
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(16, 0, 12, 0)
        self._looks: dict[str, QPushButton] = {}
        for kind, words in IMAGES.items():
            one = button(words, f"look-{kind}", partial(self.look_at, kind), role="quiet")
            one.setCheckable(True)
            group.addButton(one)
            self._looks[kind] = one
            row.addWidget(one)
        row.addStretch(1)
        self.reasons = QCheckBox("What the score rests on")
        self.reasons.setObjectName("risk-reasons")
        self.reasons.setAccessibleName("Show what the score rests on over the image")
        self.reasons.setChecked(True)
        self.reasons.toggled.connect(lambda on: self.scene.set_overlay_look(shown=on))
        self.legend = Legend()
        row.addWidget(self.reasons)
        self._no_image = EmptyState(
            "scans", "No image given", "The score can be made from clinical values alone; its interval is wider then."
        )
        self._views = QStackedWidget()
        self._views.addWidget(self._no_image)
        self._views.addWidget(self.grid)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addWidget(self.legend)
        column.addWidget(self._views, 1)
        return middle

    def _right(self) -> QFrame:
        self.progress = ProgressCard("risk-progress")
        self._work = PageWork(self._context.jobs, self.progress, self._failed, self)
        self._work.changed.connect(self._show_state)
        self.failure = FailureCard("risk-failure")
        self.result = RiskResult()
        self.result.report_requested.connect(self.save_report)
        save = QShortcut(QKeySequence.StandardKey.Save, self, self.save_report)
        save.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.nothing = label("The score comes here, with its interval and what it rests on.", "dim", wrap=True)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(12)
        column.addWidget(section("Score"))
        for widget in (self.nothing, self.progress, self.failure, self.result):
            column.addWidget(widget)
        column.addStretch(1)
        return answer_panel(inside, 270)

    # ---- the model ----------------------------------------------------------------------------------------------

    def _show_models(self) -> None:
        some = bool(self.model.packages)
        self.stack.setCurrentIndex(1 if some else 0)
        self.empty.setVisible(self._choice.loaded and not some)
        self._show_model()

    @property
    def chosen(self) -> AnyPackage | None:
        return self.model.current

    def _show_model(self) -> None:
        package = self.chosen
        if package is not None and self._fields_of != title(package):
            self._fields_of = title(package)
            self.form.show_fields(fields_of(package))
            self.about.setText(package.summary)
            self.simulated.setVisible(simulated(package))
            self._forget()
        self._show_state()

    # ---- the subject --------------------------------------------------------------------------------------------

    def set_images(self, **paths: Path | None) -> None:
        """Give the images by kind: mri, pet."""
        for kind, path in paths.items():
            self.places[kind].set_path(path)

    def _image_changed(self, kind: str) -> None:
        self._scans.pop(kind, None)
        self._forget()
        given = [one for one, place in self.places.items() if place.path is not None]
        if self.places[kind].path is not None:
            self.look_at(kind)
        elif self._looked == kind:
            self._looked = ""
            if given:
                self.look_at(given[0])
        self._show_state()

    def look_at(self, kind: str) -> None:
        """Show one of the images in the views, the reasons over it."""
        path = self.places[kind].path
        if path is None:
            return
        self._looked = kind
        if kind in self._scans:
            self._lay(self._scans[kind])
            return
        if self._reading is not None:
            self._reading.cancel()

        def done(scan: OpenedScan) -> None:
            self._reading = None
            self._scans[kind] = scan
            if self._looked == kind:
                self._lay(scan)

        self._reading = self._context.jobs.run(f"Reading {path.name}", partial(open_image, path), done=done)

    def _lay(self, scan: OpenedScan) -> None:
        self.scene.show(scan)
        labels = self.answer.maps.get(self._looked) if self.answer is not None else None
        if labels is not None and labels.shape == scan.volume.grid_shape:
            colours = {place: colour.getRgb()[:3] for place, colour in structure_colours(STRUCTURES).items()}
            self.scene.set_overlay(overlay_of(labels, colours))
            self.scene.set_overlay_look(shown=self.reasons.isChecked())
        self._show_state()

    # ---- the answer ---------------------------------------------------------------------------------------------

    def _predict(self) -> None:
        package = self.chosen
        if package is None or self._work.running or not self.predict.isEnabled():
            return
        places = {kind: place.path for kind, place in self.places.items()}
        subject = Subject(self.subject.text().strip() or "subject", places["mri"], places["pet"], self.form.values)
        self.failure.hide()
        self._forget()
        self._work.run(
            "Predicting the risk", lambda control: ask(package, subject, own_folder(), True, control), self._answered
        )

    def _answered(self, answer: Answer) -> None:
        self._context.predictions_changed.emit()
        self._take(answer)

    def open_prediction(self, row: PredictionRow) -> None:
        """Show an earlier prediction: what was given of the subject, and the answer."""
        self._work.cancel()
        self.failure.hide()
        by = self._choice.find_any(row.model, row.model_version)
        if by not in self.model.packages:
            self._context.tell(model_gone(row))
            return
        self.model.choose(by)
        self._show_subject(subject_of(row))
        self._work.run("Opening the prediction", partial(reopen, row), partial(self._reopened, row))

    def _reopened(self, row: PredictionRow, answer: Answer) -> None:
        given = subject_of(row, answer.prediction)
        if given != subject_of(row):
            self._show_subject(given)
        self._take(answer)
        if not given.values and "clinical" in str(answer.prediction.get("parts", "")):
            self._context.notice.emit("info", "The clinical values of this prediction were not kept with it.")

    def _show_subject(self, given: Subject) -> None:
        self.subject.setText(given.name)
        self.set_images(mri=given.mri, pet=given.pet)
        self.form.clear()
        self.form.set_texts({name: f"{value:.12g}" for name, value in given.values.items()})

    def _take(self, answer: Answer) -> None:
        self.answer = answer
        self.result.show_prediction(answer.prediction, mean_score(self.chosen))
        if self._looked in self._scans:
            self._lay(self._scans[self._looked])
        self._show_state()

    def save_report(self) -> None:
        """Ask where, and write the answer that is shown as a PDF."""
        if self.answer is not None and self.chosen is not None:
            save_report(self._context, self.chosen, self.answer.prediction, self)

    def _failed(self, error: Exception) -> None:
        self.failure.show_error(error)
        self._show_state()

    def _forget(self) -> None:
        """An answer to something else is no answer."""
        self.answer = None
        if self.scene.overlay is not None:
            self.scene.set_overlay(None)

    # ---- drops --------------------------------------------------------------------------------------------------

    def _take_dropped(self, paths: list[Path]) -> None:
        for path in paths:
            if is_table(path) or path.suffix.lower() == ".json":
                self.form.open(path)
            else:
                self.places[kind_by_name(path)].set_path(path)

    # ---- what is seen -------------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        """Show the parts that belong to the state; there is no other place that decides it."""
        given = {kind: place.path is not None for kind, place in self.places.items()}
        some, running = any(given.values()) or bool(self.form.values), self._work.running
        self.reason.setText("" if some else "Give the MRI, the PET or clinical values; any of them will do.")
        self.reason.setVisible(not some)
        self.predict.setEnabled(some and not running and self.chosen is not None)
        self.result.setVisible(self.answer is not None)
        self.nothing.setVisible(self.answer is None and not running and self.failure.isHidden())
        self._views.setCurrentIndex(1 if any(given.values()) else 0)
        self._bar.setVisible(any(given.values()))
        for kind, one in self._looks.items():
            one.setVisible(given[kind])
            one.setChecked(kind == self._looked)
        for widget in (self.reasons, self.legend):
            widget.setVisible(self.answer is not None and bool(self.answer.maps))

    def shut_down(self) -> None:
        """The window closes."""
        self._work.cancel()
        if self._reading is not None:
            self._reading.cancel()
        self.grid.close_views()
