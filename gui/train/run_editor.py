"""The editor of a setting that holds a run to begin with: chosen from the runs there are, typed, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any, get_args

from pydantic.fields import FieldInfo
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout

from core.catalog import Catalog
from core.errors import CatalogError
from gui.theme import icons
from gui.train.fields import Combo, Editor
from gui.widgets.controls import tool_button

WEIGHTS = "Weights (*.safetensors *.pt *.pth *.ckpt);;All files (*)"
MOST = 30  # runs that are offered, the newest


def run_editor(field: FieldInfo) -> Editor | None:
    """The editor of a field that says it holds a run; None for any other."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or extra.get("of") != "runs":
        return None
    tasks = extra.get("tasks")
    names = [str(task) for task in tasks] if isinstance(tasks, list) else []
    return RunEditor(names, optional=NoneType in get_args(field.annotation))


class _Runs(Combo):
    """Looks for the runs when its list is opened."""

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self._tasks = set(tasks)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)

    def showPopup(self) -> None:  # noqa: N802 - Qt's name
        self.look()
        super().showPopup()

    def look(self) -> None:
        """List the runs that have ended and can be begun with."""
        text = self.currentText()
        try:
            with Catalog() as catalog:
                runs = [run for run in catalog.runs() if not run.live and (not self._tasks or run.task in self._tasks)]
        except CatalogError:
            runs = []
        with QSignalBlocker(self):
            self.clear()
            for run in runs[:MOST]:
                self.addItem(run.id)
                self.setItemData(self.count() - 1, f"{run.name}, {run.state}", Qt.ItemDataRole.ToolTipRole)
            self.setCurrentIndex(self.findText(text))
            self.setEditText(text)


class RunEditor(Editor):
    """A run by its id, or a file of weights."""

    def __init__(self, tasks: Sequence[str], *, optional: bool) -> None:
        super().__init__()
        self.optional = optional
        self.combo = _Runs(tasks)
        self.combo.lineEdit().setPlaceholderText("random weights")
        self.combo.currentTextChanged.connect(self.changed)
        self.setFocusProxy(self.combo)
        self.file = tool_button("folder", "choose-weights", "Choose a file of weights", self._ask)
        icons.bind(self.file, "folder")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.combo, 1)
        row.addWidget(self.file)

    def value(self) -> Any:
        text = self.combo.currentText().strip()
        return None if self.optional and not text else text

    def set_value(self, value: Any) -> None:
        text = "" if value is None else str(value)
        if text != self.combo.currentText():
            with QSignalBlocker(self.combo):
                self.combo.setEditText(text)

    def _ask(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Choose weights", "", WEIGHTS)
        if chosen:
            self.combo.setEditText(chosen)
