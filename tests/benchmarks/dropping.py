"""Files dropped on a window, as the window system would send them."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget


def target(window: QWidget) -> tuple[QWidget, QPoint]:
    """The widget that a drop on the window's centre reaches, and the place within it."""
    place = window.rect().center()
    widget = window.childAt(place) or window
    while not widget.acceptDrops() and widget.parentWidget() is not None and not widget.isWindow():
        widget = widget.parentWidget()
    return widget, widget.mapFrom(window, place)


def enter(window: QWidget, path: str) -> bool:
    """Drag a file over the window's centre. Returns whether it would be taken."""
    widget, place = target(window)
    event = QDragEnterEvent(place, *_what(path))
    QApplication.sendEvent(widget, event)
    return widget.acceptDrops() and event.isAccepted()


def drop(window: QWidget, path: str) -> None:
    """Drag a file over the window's centre and let it go."""
    enter(window, path)
    widget, place = target(window)
    QApplication.sendEvent(widget, QDropEvent(QPointF(place), *_what(path)))


_alive: list[QMimeData] = []


def _what(path: str) -> tuple[Any, ...]:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path)])
    _alive.append(data)  # an event does not own its data
    return Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
