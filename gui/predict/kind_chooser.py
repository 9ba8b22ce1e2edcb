"""A list of the models that take one kind of data: tables, stays, subjects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox

from gui.predict.model_card import ModelChoice, title

if TYPE_CHECKING:
    from core.inference.package import AnyPackage


class KindChooser(QComboBox):
    """By title; what was chosen stays chosen when other models come or go."""

    filled = Signal()  # models came or went

    def __init__(self, choice: ModelChoice, name: str, accessible: str, takes: Callable[[AnyPackage], bool]) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        # Long titles are cut, rather than the panel widened.
        self.setSizePolicy(self.sizePolicy().Policy.Ignored, self.sizePolicy().Policy.Fixed)
        self.packages: list[AnyPackage] = []
        self._choice, self._takes = choice, takes
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
            self.packages = [package for package in self._choice.every if self._takes(package)]
            self.clear()
            self.addItems([title(package) for package in self.packages])
            self.setCurrentIndex(max(self.findText(kept), 0) if self.packages else -1)
        self.filled.emit()
