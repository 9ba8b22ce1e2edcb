"""Icons that follow the theme."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton

from gui.theme.drawing import redraw
from gui.theme.theme import theme


def bind(target: QAbstractButton | QAction, name: str, role: str = "dim", on_role: str | None = None) -> None:
    """Give a button or action an icon that is drawn anew when the theme changes."""
    target.setProperty("icon_name", name)
    target.setProperty("icon_role", role)
    target.setProperty("icon_on_role", on_role or role)
    redraw(target, theme().tokens)
