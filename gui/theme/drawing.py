"""Icons of our own, drawn from SVG in colours that are handed in."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QPushButton

from core.paths import RESOURCES
from gui.theme.tokens import ICON_PX, Tokens

SCALES = (1, 2, 3)
BUTTON_ICON_PX = 16
GAP_PX = 6  # between the icon of a button and its words


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


def icon(name: str, colours: Tokens, role: str = "dim", on_role: str | None = None, gap: int = 0) -> QIcon:
    """The icon in the colour of a role; `on_role` colours its checked state, `gap` is room on its right."""
    made = QIcon()
    states = [(QIcon.State.Off, role), (QIcon.State.On, on_role or role)]
    for state, its_role in states:
        for scale in SCALES:
            for mode, colour in (
                (QIcon.Mode.Normal, getattr(colours, its_role)),
                (QIcon.Mode.Disabled, colours.faint),
            ):
                made.addPixmap(_spaced(pixmap(name, colour, ICON_PX, scale), gap), mode, state)
    return made


def redraw(target: QAbstractButton | QAction, colours: Tokens) -> None:
    """Draw the icon of a button or action anew, where `icons.bind` gave it one."""
    name = target.property("icon_name")
    if not name:
        return
    # The toolkit sets an icon close to the words beside it, and no stylesheet moves them apart.
    gap = GAP_PX if isinstance(target, QPushButton) and target.text() else 0
    target.setIcon(icon(name, colours, target.property("icon_role"), target.property("icon_on_role"), gap))
    if gap and isinstance(target, QPushButton):
        target.setIconSize(QSize(BUTTON_ICON_PX + gap, BUTTON_ICON_PX))


def _spaced(drawn: QPixmap, gap: int) -> QPixmap:
    """A square pixmap with clear room on its right, in its own proportions to the icon drawn on a button."""
    if not gap:
        return drawn
    scale = drawn.devicePixelRatio()
    wider = QPixmap(drawn.width() + round(drawn.width() * gap / BUTTON_ICON_PX), drawn.height())
    wider.fill(Qt.GlobalColor.transparent)
    wider.setDevicePixelRatio(scale)
    painter = QPainter(wider)
    painter.drawPixmap(0, 0, drawn)
    painter.end()
    return wider
