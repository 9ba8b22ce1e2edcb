"""Files and folders dropped on a widget."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QWidget

from gui.scans.opening import dropped_paths


class FileDrops(QObject):
    """Takes what is dropped on its widget, also where the drop lands on a part that takes nothing itself."""

    dropped = Signal(object)  # list[Path]

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() not in (QEvent.Type.DragEnter, QEvent.Type.Drop) or not isinstance(event, QDropEvent):
            return super().eventFilter(watched, event)
        paths = dropped_paths(event.mimeData().urls())
        if paths:
            event.acceptProposedAction()
            if event.type() == QEvent.Type.Drop:
                # The other program waits for the drop to end.
                QTimer.singleShot(0, self, partial(self.dropped.emit, paths))
        return bool(paths)
