"""Icons of our own, drawn from SVG in the colours of the theme."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

from core.paths import RESOURCES
from gui.theme.tokens import ICON_PX

SCALES = (1, 2, 3)


@cache
def _source(name: str) -> str:
    return (RESOURCES / "icons" / f"{name}.svg").read_text(encoding="utf-8")


def svg(name: str, colour: str) -> str:
    """The icon's SVG text in a colour such as "#98a3b0"."""
    return _source(name).replace("currentColor", colour)


def pixmap(name: str, colour: str, size: int = ICON_PX, scale: float = 1.0) -> QPixmap:
    """The icon drawn `size` logical pixels large for a screen of that scale."""
    renderer = QSvgRenderer(QByteArray(svg(name, colour).encode()))
    drawn = QPixmap(QSize(round(size * scale), round(size * scale)))
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    renderer.render(painter, QRectF(0, 0, drawn.width(), drawn.height()))
    painter.end()
    drawn.setDevicePixelRatio(scale)
    return drawn


def icon(name: str, role: str = "dim", on_role: str | None = None) -> QIcon:
    """The icon in the colour of a role; `on_role` colours its checked state.

    It keeps its colour when the theme changes: `bind` gives a button or action one that follows.
    """
    from gui.theme.theme import theme

    colours = theme().tokens
    made = QIcon()
    states = [(QIcon.State.Off, role), (QIcon.State.On, on_role or role)]
    for state, its_role in states:
        for scale in SCALES:
            made.addPixmap(pixmap(name, getattr(colours, its_role), ICON_PX, scale), QIcon.Mode.Normal, state)
            made.addPixmap(pixmap(name, colours.faint, ICON_PX, scale), QIcon.Mode.Disabled, state)
    return made


def bind(target: QAbstractButton | QAction, name: str, role: str = "dim", on_role: str | None = None) -> None:
    """Give a button or action an icon that is drawn anew when the theme changes."""
    target.setProperty("icon_name", name)
    target.setProperty("icon_role", role)
    target.setProperty("icon_on_role", on_role or role)
    redraw(target)


def redraw(target: QAbstractButton | QAction) -> None:
    name = target.property("icon_name")
    if name:
        target.setIcon(icon(name, target.property("icon_role"), target.property("icon_on_role")))
