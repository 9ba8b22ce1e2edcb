"""Asking for an evaluation: which model, on which labelled cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QFileDialog, QFormLayout, QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from core import registry
from core.catalog.groups import group_named
from core.errors import IsocenterError
from gui.context import AppContext
from gui.metric_names import settings_of
from gui.predict.model_card import choice_of, key, task_of, title
from gui.train.data_kinds import KINDS, DataKind, kind_of
from gui.widgets import button, label

DATA_KEY = "review/data"
SPLITS = {"All cases": "", "Test part": "test", "Validation part": "val"}
OTHER_DATA = "Cases that it was trained on flatter a model: choose a part that was kept out, or cases it never saw."
OWN_DATA = {
    "test": "It was trained on these data: the test part, kept out of the training, is measured.",
    "val": "It was trained on these data, with no test part: the validation part, which chose its epoch, is measured.",
    "": "It was trained on these data, and nothing was kept out: these figures will flatter it.",
}


@dataclass(frozen=True)
class Own:
    """The data that a model or run was trained on, and the part of them that tells the most about it."""

    data: Path
    split: str


@dataclass(frozen=True)
class Asked:
    """An evaluation that was asked for. `split`: "" for all cases."""

    model: str
    title: str
    data: Path
    split: str


class EvaluateForm(QFrame):
    """A model or run, a data set's folder, a part of it."""

    evaluate_requested = Signal(object)  # Asked
    cancelled = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("evaluate-form")
        self._context = context
        self._kinds: dict[str, str] = {}  # the task of each model and run
        self._own: Own | None = None
        self._proposed: tuple[str, bool] | None = None  # the model, and whether the data named are its own
        self.model = QComboBox()
        self.model.currentIndexChanged.connect(lambda _: self._model_changed())
        self.model.activated.connect(lambda _: self.choose(self.model.currentData()))
        self.model.setObjectName("evaluate-model")
        self.model.setAccessibleName("Model or run to evaluate")
        self.data = QLineEdit(str(context.settings.value(DATA_KEY, "")))
        self.data.setObjectName("evaluate-data")
        self.data.setAccessibleName("Folder or table of the labelled cases")
        self.data.setAcceptDrops(False)  # else the line would take a dropped folder as text
        self.setAcceptDrops(True)
        self.data.textChanged.connect(self._show_state)
        browse = button("Browse…", "evaluate-browse", self._browse)
        self.split = QComboBox()
        self.split.setObjectName("evaluate-split")
        self.split.setAccessibleName("Which of its cases")
        for words, split in SPLITS.items():
            self.split.addItem(words, split)
        self.split.currentIndexChanged.connect(lambda _: self._show_hint())
        self.split.setToolTip("The test and validation parts are those drawn when the model was trained")
        self.go = button("Evaluate", "evaluate-go", self._go, role="primary")
        place = QHBoxLayout()
        place.setSpacing(8)
        place.addWidget(self.data, 1)
        place.addWidget(browse)
        form = QFormLayout()
        form.setSpacing(8)
        form.addRow("Model", self.model)
        form.addRow("Cases", place)
        form.addRow("Part", self.split)
        actions = QHBoxLayout()
        actions.setSpacing(8)
        actions.addWidget(self.go)
        actions.addWidget(button("Cancel", "evaluate-cancel", self.cancelled.emit))
        actions.addStretch(1)
        self.hint = label(OTHER_DATA, "small", wrap=True)
        self.hint.setObjectName("evaluate-hint")
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        column.addWidget(label("Evaluate a model on labelled cases", "strong"))
        column.addLayout(form)
        column.addWidget(self.hint)
        column.addLayout(actions)
        choice_of(context).changed.connect(self.fill)
        self.fill()

    def fill(self) -> None:
        """List the models and the runs that have ended; at first the data of the one on top are proposed."""
        chosen = self.model.currentData()
        self.model.blockSignals(True)
        self.model.clear()
        self._kinds = {}
        for package in choice_of(self._context).every:
            self.model.addItem(title(package), key(package))
            self._kinds[key(package)] = task_of(package)
        try:
            runs = [run for run in self._context.catalog().runs() if not run.live]
        except IsocenterError as error:
            self._context.tell(error)
            runs = []
        for run in runs:
            self.model.addItem(f"Run {run.name} ({run.id})", run.id)
            self._kinds[run.id] = run.task
        self.model.setCurrentIndex(max(self.model.findData(chosen), 0) if self.model.count() else -1)
        self.model.blockSignals(False)
        self._model_changed()
        if not self.data.text() and self._own is not None:
            self.data.setText(str(self._own.data))

    def choose(self, run_or_model: str | None) -> None:
        """Put up a model or run. The run's own data set is proposed with it, and what was kept out of its training."""
        place = self.model.findData(run_or_model) if run_or_model else -1
        if place < 0:
            return
        self.model.setCurrentIndex(place)
        if self._own is not None:
            self.data.setText(str(self._own.data))

    def _model_changed(self) -> None:
        self._own = self._trained_on()
        self._show_state()

    def _trained_on(self) -> Own | None:
        """What the chosen model or run was trained on; None where that is not known here."""
        chosen = self.model.currentData()
        package = next((one for one in choice_of(self._context).every if key(one) == chosen), None)
        training = package.as_dict().get("training") if package is not None else None
        id = training.get("run") if isinstance(training, dict) else chosen
        try:
            run = next((run for run in self._context.catalog().runs() if run.id == id), None)
            group = None if run is not None or not id else group_named(self._context.catalog(), id)
        except IsocenterError as error:
            self._context.tell(error)
            return None
        if group is not None:
            return Own(Path(group.data_path), "test" if group.test else "")
        if run is None:
            return None
        data = settings_of(run.config).get("data")
        tested = isinstance(data, dict) and data.get("test_fraction")
        return Own(Path(run.data_path), "test" if tested else "val")

    def _propose_part(self) -> None:
        """Of the data that it was trained on, what was kept out; of others, all cases."""
        own = self._own
        on_own = own is not None and same_place(own.data, self.data.text())
        before, self._proposed = self._proposed, (self.model.currentData() or "", on_own)
        if self._proposed != before:  # once, so that another choice of the person's stays
            self.split.setCurrentIndex(self.split.findData(own.split if own is not None and on_own else ""))
        self._show_hint()

    def _show_hint(self) -> None:
        own = self._own if self._proposed is not None and self._proposed[1] else None
        self.hint.setText(OWN_DATA[own.split] if own and own.split == self.split.currentData() else OTHER_DATA)

    def _browse(self) -> None:
        kind = self._kind()
        if kind.folders:
            chosen = QFileDialog.getExistingDirectory(self, "Folder of the labelled cases", self.data.text())
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Table of the labelled cases", self.data.text(), kind.filter)
        if chosen:
            self.data.setText(chosen)

    def _kind(self) -> DataKind:
        """Of the data that the chosen model takes."""
        part: Any = registry.parts("task").get(self._kinds.get(self.model.currentData(), ""))
        return kind_of(part) if part is not None else KINDS["scans"]

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        places = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.data.setText(places[0])

    def _show_state(self) -> None:
        self.data.setPlaceholderText(
            "Folder with images and labels" if self._kind() is KINDS["scans"] else f"Path of {self._kind().what}"
        )
        self._propose_part()
        self.go.setEnabled(bool(self.data.text().strip()) and self.model.currentIndex() >= 0)

    def _go(self) -> None:
        data = Path(self.data.text().strip()).expanduser()
        self._context.settings.setValue(DATA_KEY, str(data))
        asked = Asked(self.model.currentData(), self.model.currentText(), data, self.split.currentData())
        self.evaluate_requested.emit(asked)


def same_place(one: Path, other: str) -> bool:
    """Whether a path as it was typed is that place."""
    try:
        return bool(other.strip()) and one.samefile(Path(other.strip()).expanduser())
    except (OSError, RuntimeError):  # one of them is not there, or there is no such home
        return False
