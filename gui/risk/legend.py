"""What the colours over an image mean: which raises the score, and which lowers it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from gui.risk.asking import STRUCTURES
from gui.theme.structures import structure_colours
from gui.widgets import Swatch, label


class Legend(QWidget):
    """A swatch and a word for each, in a line."""

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 12, 0)
        row.setSpacing(6)
        for structure in STRUCTURES:
            row.addWidget(Swatch(structure_colours(STRUCTURES)[structure["label"]]))
            row.addWidget(label(structure["name"], "small"))
