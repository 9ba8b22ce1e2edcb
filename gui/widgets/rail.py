"""The rail on the left: the places of the window, as icons with words."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QMenu, QToolButton, QVBoxLayout, QWidget

from gui.theme import icons

PAGES = {
    "scans": "Scans",
    "tables": "Tables",
    "stays": "Stays",
    "risk": "Risk",
    "predict": "Predict",
    "train": "Train",
    "runs": "Runs",
    "models": "Models",
    "review": "Review",
}


class Rail(QFrame):
    """One button a page, and the menu at the foot."""

    page_chosen = Signal(str)

    def __init__(self, menu: QMenu, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setProperty("role", "rail")
        self.setFixedWidth(64)
        self._buttons: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        group.setExclusive(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 8, 6, 8)
        column.setSpacing(4)
        for number, (key, words) in enumerate(PAGES.items(), start=1):
            button = self._make(key, f"rail-{key}", words, f"{words} (Ctrl+{number})")
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, key=key: self.page_chosen.emit(key))
            group.addButton(button)
            self._buttons[key] = button
            column.addWidget(button)
        column.addStretch(1)
        foot = self._make("settings", "rail-menu", "Menu", "All commands and settings")
        foot.setMenu(menu)
        foot.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        foot.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        column.addWidget(foot)

    def _make(self, icon: str, name: str, words: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(name)
        button.setAccessibleName(words)
        button.setToolTip(tip)
        button.setText(words)
        button.setProperty("role", "rail")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(20, 20))
        button.setFixedSize(QSize(52, 48))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        icons.bind(button, icon, "dim", "accent")
        return button

    def mark(self, page: str) -> None:
        """Show which page is in front; Tab comes to its button, and from there arrow keys go to the others."""
        self._buttons[page].setChecked(True)
        for key, one in self._buttons.items():
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus if key == page else Qt.FocusPolicy.NoFocus)
