"""Asking for an evaluation: which model, on which labelled cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QFileDialog, QFormLayout, QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from core import registry
from core.errors import IsocenterError
from gui.context import AppContext
from gui.metric_names import settings_of
from gui.predict.model_card import choice_of, key, task_of, title
from gui.train.data_kinds import KINDS, DataKind, kind_of
from gui.widgets import button, label

DATA_KEY = "review/data"
SPLITS = {"All cases": "", "Test part": "test", "Validation part": "val"}


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
        self.model = QComboBox()
        self.model.currentIndexChanged.connect(lambda _: self._show_state())
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
        hint = "Cases that it was trained on flatter a model: choose a part that was kept out, or cases it never saw."
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        column.addWidget(label("Evaluate a model on labelled cases", "strong"))
        column.addLayout(form)
        column.addWidget(label(hint, "small", wrap=True))
        column.addLayout(actions)
        choice_of(context).changed.connect(self.fill)
        self.fill()

    def fill(self) -> None:
        """List the models and the runs that have ended."""
        chosen = self.model.currentData()
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
        self.choose(chosen)
        self._show_state()

    def choose(self, run_or_model: str | None) -> None:
        """Put up a model or run. The run's own data set is proposed with it, and what was kept out of its training."""
        place = self.model.findData(run_or_model) if run_or_model else -1
        if place < 0:
            return
        self.model.setCurrentIndex(place)
        package = next((one for one in choice_of(self._context).every if key(one) == run_or_model), None)
        training = package.as_dict().get("training") if package is not None else None
        id = training.get("run") if isinstance(training, dict) else run_or_model
        run = next((run for run in self._context.catalog().runs() if run.id == id), None)
        if run is not None:
            data = settings_of(run.config).get("data")
            tested = isinstance(data, dict) and data.get("test_fraction")
            self.data.setText(run.data_path)
            self.split.setCurrentIndex(self.split.findData("test" if tested else "val"))

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
        self.go.setEnabled(bool(self.data.text().strip()) and self.model.currentIndex() >= 0)

    def _go(self) -> None:
        data = Path(self.data.text().strip()).expanduser()
        self._context.settings.setValue(DATA_KEY, str(data))
        asked = Asked(self.model.currentData(), self.model.currentText(), data, self.split.currentData())
        self.evaluate_requested.emit(asked)
