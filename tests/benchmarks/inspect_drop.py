"""Drops a scan on the window and waits until its pixels stand in the three slice views."""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from tests.benchmarks.dropping import drop
from tests.benchmarks.window import report

VIEWS = {"view_axial", "view_coronal", "view_sagittal"}
SETTLED_MS = 2000  # a person needs longer than this to find a file; what the window prepares while idle is done then
GIVE_UP_MS = 30_000


def inspect(window: Any, path: str) -> None:
    window.painted_views = PaintedViews(path, window)
    QTimer.singleShot(SETTLED_MS, window.painted_views.start)


class PaintedViews(QObject):
    """Notes when each slice view has been painted with a scan in it."""

    def __init__(self, path: str, window: QWidget) -> None:
        super().__init__(window)
        self.path, self.window = path, window
        self.waiting = set(VIEWS)

    def start(self) -> None:
        QTimer.singleShot(GIVE_UP_MS, lambda: report({"error": f"not painted: {sorted(self.waiting)}"}))
        QApplication.instance().installEventFilter(self)
        self.began = time.perf_counter()
        drop(self.window, self.path)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Paint and watched.objectName() in self.waiting and holds_scan(watched):
            self.waiting.discard(watched.objectName())
            if not self.waiting:
                QApplication.instance().removeEventFilter(self)
                QTimer.singleShot(0, self.finish)  # once this paint has been flushed
        return False

    def finish(self) -> None:
        seconds = time.perf_counter() - self.began
        views = [self.window.findChild(QWidget, name) for name in sorted(VIEWS)]
        report({"seconds": seconds, "blank": [view.objectName() for view in views if is_blank(view)]})


def holds_scan(view: Any) -> bool:
    """Whether the viewer that the view belongs to has a scan."""
    while view is not None and view.objectName() != "slice_grid":
        view = view.parent()
    return view is not None and view.scene.opened is not None


def is_blank(view: QWidget) -> bool:
    """Whether the middle of the view shows one colour only."""
    image = view.grab().toImage()
    middle_x, middle_y = image.width() // 2, image.height() // 2
    colours = {image.pixel(middle_x + step, middle_y + step) for step in range(-40, 40, 4)}
    return len(colours) < 3
