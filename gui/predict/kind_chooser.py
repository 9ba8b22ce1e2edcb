"""A list of the models that take one kind of data: tables, stays, subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox

from core import registry
from gui.predict.model_card import ModelChoice, task_of, title

if TYPE_CHECKING:
    from core.inference.package import AnyPackage


class KindChooser(QComboBox):
    """By title; what was chosen stays chosen when other models come or go."""

    filled = Signal()  # models came or went

    def __init__(self, choice: ModelChoice, name: str, accessible: str, data_kind: str) -> None:
        """data_kind: of the tasks whose models are listed, see `core.tasks.base.Task`."""
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        # Long titles are cut, rather than the panel widened.
        self.setSizePolicy(self.sizePolicy().Policy.Ignored, self.sizePolicy().Policy.Fixed)
        self.packages: list[AnyPackage] = []
        self._choice, self._data_kind = choice, data_kind
        choice.changed.connect(self._fill)
        self._fill()

    @property
    def current(self) -> AnyPackage | None:
        place = self.currentIndex()
        return self.packages[place] if 0 <= place < len(self.packages) else None

    def choose(self, package: AnyPackage | None) -> None:
        """Put up a model, if it is among them."""
        if package in self.packages:
            self.setCurrentIndex(self.packages.index(package))

    def _fill(self) -> None:
        kept = self.currentText()
        with QSignalBlocker(self):
            self.packages = [package for package in self._choice.every if _answers(package, self._data_kind)]
            self.clear()
            self.addItems([title(package) for package in self.packages])
            self.setCurrentIndex(max(self.findText(kept), 0) if self.packages else -1)
        self.filled.emit()


def _answers(package: AnyPackage, data_kind: str) -> bool:
    """Whether a model predicts from such data, rather than being what another training begins with."""
    part: Any = registry.parts("task").get(task_of(package))
    kind = part.kind_of_model() if part is not None and part.data_kind == data_kind else None
    return kind is not None and bool(kind.predicts)
