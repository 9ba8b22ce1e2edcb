"""What the colours over an image mean: which raises the score, and which lowers it."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QHBoxLayout

from gui.risk.asking import STRUCTURES
from gui.theme.structures import structure_colours
from gui.widgets import Swatch, label


class Legend(QFrame):
    """A swatch and a word for each, in a line above the images."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 12, 4)
        row.setSpacing(6)
        for structure in STRUCTURES:
            row.addWidget(Swatch(structure_colours(STRUCTURES)[structure["label"]]))
            row.addWidget(label(structure["name"], "small"))
        row.addStretch(1)
