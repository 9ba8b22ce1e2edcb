"""Buttons, each with an object name and an accessible name."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QMenu, QPushButton, QToolButton, QWidget

from gui.theme import icons
from gui.theme.tokens import ICON_PX


def button(
    text: str,
    name: str,
    clicked: Callable[[], object] | None = None,
    *,
    role: str = "",
    icon: str = "",
    tip: str = "",
    parent: QWidget | None = None,
) -> QPushButton:
    """A button. `role`: "primary", "danger", "quiet" or "link"."""
    made = QPushButton(text, parent)
    _name(made, name, tip or text)
    if role:
        made.setProperty("role", role)
    if icon:
        icons.bind(made, icon, {"primary": "on_accent", "danger": "bad"}.get(role, "dim"))
    if tip:
        made.setToolTip(tip)
    if clicked is not None:
        made.clicked.connect(lambda: clicked())
    return made


def tool_button(
    icon: str, name: str, tip: str, clicked: Callable[[], object] | None = None, parent: QWidget | None = None
) -> QToolButton:
    """A quiet button that is only an icon; `tip` says in words what it does."""
    made = QToolButton(parent)
    _name(made, name, tip)
    made.setProperty("role", "quiet")
    made.setToolTip(tip)
    made.setIconSize(QSize(ICON_PX - 4, ICON_PX - 4))
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    icons.bind(made, icon)
    if clicked is not None:
        made.clicked.connect(lambda: clicked())
    return made


def menu_button(text: str, name: str, menu: QMenu, *, tip: str = "", parent: QWidget | None = None) -> QPushButton:
    """A button that opens a menu."""
    made = QPushButton(text, parent)
    _name(made, name, tip or text)
    made.setProperty("role", "menu")
    made.setMenu(menu)
    if tip:
        made.setToolTip(tip)
    return made


def _name(widget: QWidget, name: str, accessible: str) -> None:
    widget.setObjectName(name)
    widget.setAccessibleName(accessible)
