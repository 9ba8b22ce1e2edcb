"""One patient: values typed, chosen or pasted on the left, the model's answer with what speaks for it on the right."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QSplitter, QVBoxLayout, QWidget

from core import RESEARCH_ONLY
from core.inference.answers import in_words
from core.inference.package import AnyPackage
from gui.charts.bars import Bar, BarChart
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.predict.kind_chooser import KindChooser
from gui.predict.model_card import choice_of, simulated, title
from gui.tables.patient_asking import Kept, ask_patient, fields_of
from gui.tables.predicting import DATA_KIND, contributions_of
from gui.train.data_check import LEVELS
from gui.values.form import ValuesForm
from gui.widgets import label, notice, scrolled, section

WAIT_MS = 250  # after the last edit
NOTHING_GIVEN = "The prediction comes as values are given, and is kept; any may be left out."
MOST_BARS, MOST_NOTICES = 15, 4


class PatientView(QWidget):
    """Asks the model after each edit; the answer to the latest values wins."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("patient-view")
        self._context = context
        self._fields_of = ""
        self._job: Job | None = None
        self.answer: dict[str, Any] | None = None
        self._kept: Kept | None = None
        self._before: dict[str, str] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._ask)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        split.addWidget(self._left())
        split.addWidget(self._right())
        split.setSizes([560, 560])
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(split)
        self.model.filled.connect(self._show_model)
        self._show_model()

    def _left(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "panel")
        frame.setMinimumWidth(380)
        choice = choice_of(self._context)
        self.model = KindChooser(choice, "patient-model", "Model for one patient", DATA_KIND)
        self.model.currentIndexChanged.connect(lambda _: self._show_model())
        self.about = label("", "dim", wrap=True)
        self.simulated = notice("Trained on simulated data: it says nothing about patients.", "warn")
        self.form = ValuesForm(self._context, "patient", "Values of one patient", "Trained on")
        self.form.changed.connect(self._edited)
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        for widget in (section("One patient"), self.model, self.about, self.simulated):
            column.addWidget(widget)
        column.addWidget(self.form, 1)
        return frame

    def _right(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "panel")
        self.figure = label("", "figure")
        self.figure.setObjectName("patient-figure")
        self.note = label("", "dim", wrap=True)
        self.note.setObjectName("patient-note")
        self.bars = BarChart("patient-contributions", "What speaks for the answer, and against it", form="{:+.3f}")
        self.notices = QVBoxLayout()
        self.notices.setSpacing(8)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(section("Prediction"))
        for widget in (self.figure, self.note, self.bars):
            column.addWidget(widget)
        column.addLayout(self.notices)
        column.addStretch(1)
        outer = QVBoxLayout(frame)
        outer.setContentsMargins(0, 0, 0, 8)
        outer.addWidget(scrolled(inside), 1)
        research = label(RESEARCH_ONLY, "small", wrap=True)
        research.setContentsMargins(16, 0, 16, 4)
        outer.addWidget(research)
        return frame

    # ---- the model ----------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> AnyPackage | None:
        return self.model.current

    def _show_model(self) -> None:
        package = self.chosen
        self.model.setVisible(package is not None)
        self.form.setVisible(package is not None)
        self.about.setText("No model for tables yet: train one and publish it." if package is None else package.summary)
        self.simulated.setVisible(package is not None and simulated(package))
        if package is not None and self._fields_of != title(package):
            self._fields_of, self._kept = title(package), None
            self.form.show_fields(fields_of(package))
            self._edited()
        self._show_answer()

    # ---- the answer ---------------------------------------------------------------------------------------------

    def _edited(self) -> None:
        self._stop()
        self.answer = None
        before, self._before = self._before, self.form.texts()
        changed = [name for name in {*before, *self._before} if before.get(name) != self._before.get(name)]
        if len(changed) > 1 or not self._before:  # typing changes one value: this is another patient
            self._kept = None
        if self.form.readable and self.chosen is not None:
            self._timer.start()
        self._show_answer()

    def _ask(self) -> None:
        package, texts = self.chosen, self.form.readable
        if package is None:
            return
        kept = self._kept = self._kept or Kept()
        self._job = self._context.jobs.run(
            "Predicting one patient", lambda control: ask_patient(package, texts, control, kept), done=self._take,
            failed=self._failed, kind="background",
        )  # fmt: skip

    def _take(self, answer: dict[str, Any]) -> None:
        self._job, self.answer = None, answer
        self._context.predictions_changed.emit()
        self._show_answer()

    def show_kept(self, package: AnyPackage, texts: dict[str, str], answer: dict[str, Any]) -> None:
        """Show an earlier answer, and the values that it is to; it stays as it is when they are changed."""
        self.model.choose(package)
        names = [field.name for field in fields_of(package)]
        self.form.set_texts({name: texts.get(name, "") for name in names})
        self._stop()
        self._kept, self.answer = None, answer
        self._show_answer()

    def _failed(self, error: Exception) -> None:
        self._job = None
        self._context.tell(error)
        self._show_answer()

    def _stop(self) -> None:
        self._timer.stop()
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _show_answer(self) -> None:
        """Show the parts that belong to the state; there is no other place that decides it."""
        answer = self.answer
        while (item := self.notices.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        self.figure.setVisible(answer is not None)
        self.bars.setVisible(answer is not None)
        if answer is None:
            waiting = self._timer.isActive() or self._job is not None
            self.note.setText("Predicting…" if waiting else NOTHING_GIVEN)
            return
        self.figure.setText(in_words(answer))
        shares = answer.get("probabilities", {})
        self.note.setText(", ".join(f"{name}: {share:.1%}" for name, share in shares.items()))
        texts = self.form.texts()
        told = contributions_of(answer)[:MOST_BARS]
        self.bars.show_bars([Bar(name, value, texts.get(name, "not given")) for name, value in told])
        for finding in answer["findings"][:MOST_NOTICES]:
            self.notices.addWidget(notice(str(finding["message"]), LEVELS.get(finding["severity"], "info")))

    def shut_down(self) -> None:
        """The window closes."""
        self._stop()
