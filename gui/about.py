"""What the program is, and where it keeps its data."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget

from core import RESEARCH_ONLY, __version__
from core.paths import home


def show_about(parent: QWidget) -> None:
    box = QMessageBox(parent)
    box.setWindowTitle("About Isocenter")
    box.setText(f"Isocenter {__version__}")
    box.setInformativeText(
        "Looks at medical scans, predicts on them and trains the models that do it.\n\n"
        f"{RESEARCH_ONLY}\nYour data stays in {home()}."
    )
    box.open()
