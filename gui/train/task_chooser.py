"""What is to be learned: one of the registered tasks, with a line about it."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import registry
from gui.train.data_kinds import line_of, task_titles
from gui.train.fields import Combo
from gui.widgets.labels import label


class TaskChooser(QWidget):
    """A list of the tasks by title."""

    chosen = Signal(str)  # a task's name

    def __init__(self) -> None:
        super().__init__()
        self.combo = Combo()
        self.combo.setObjectName("task-chooser")
        self.combo.setAccessibleName("What is learned")
        for name, title in task_titles().items():
            self.combo.addItem(title, name)
            line = line_of(registry.part("task", name))
            self.combo.setItemData(self.combo.count() - 1, line, Qt.ItemDataRole.ToolTipRole)
        self.line = label("", "small", wrap=True)
        self.line.setObjectName("task-line")
        self.combo.currentIndexChanged.connect(lambda _: self._choose())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.combo)
        column.addWidget(self.line)

    def show_task(self, name: str) -> None:
        """Show that this task is chosen, without `chosen`."""
        with QSignalBlocker(self.combo):
            self.combo.setCurrentIndex(self.combo.findData(name))
        self._tell()

    def _choose(self) -> None:
        self._tell()
        self.chosen.emit(self.combo.currentData())

    def _tell(self) -> None:
        name = self.combo.currentData()
        self.line.setText(line_of(registry.part("task", name)) if name else "")
        self.combo.setToolTip(self.line.text())
