"""Drops a scan on the window and waits until pixels of it stand in the three slice views, then until all of it does."""

from __future__ import annotations

import threading
import time
from typing import Any

import psutil
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from tests.benchmarks.dropping import drop
from tests.benchmarks.window import report

VIEWS = {"view-axial", "view-coronal", "view-sagittal"}
SETTLED_MS = 2000  # a person needs longer than this to find a file; what the window prepares while idle is done then
GIVE_UP_MS = 30_000


def inspect(window: Any, path: str) -> None:
    window.painted_views = PaintedViews(path, window)
    QTimer.singleShot(SETTLED_MS, window.painted_views.start)


class PaintedViews(QObject):
    """Notes when each slice view has been painted with a part of a scan in it, and when with the whole."""

    def __init__(self, path: str, window: QWidget) -> None:
        super().__init__(window)
        self.path, self.window = path, window
        self.waiting, self.waiting_whole = set(VIEWS), set(VIEWS)
        self.first = 0.0

    def start(self) -> None:
        QTimer.singleShot(GIVE_UP_MS, lambda: report({"error": f"not painted: {sorted(self.waiting_whole)}"}))
        QApplication.instance().installEventFilter(self)
        self.held = psutil.Process().memory_info().rss
        self.most = Peak()
        self.began = time.perf_counter()
        drop(self.window, self.path)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        name = watched.objectName()
        if event.type() != QEvent.Type.Paint or name not in self.waiting_whole:
            return False
        whole = holds_scan(watched)
        if name in self.waiting and (whole or holds_part(watched)):
            self.waiting.discard(name)
            if not self.waiting:
                QTimer.singleShot(0, self.note_first)  # once this paint has been flushed
        if whole:
            self.waiting_whole.discard(name)
            if not self.waiting_whole:
                QApplication.instance().removeEventFilter(self)
                QTimer.singleShot(0, self.finish)
        return False

    def note_first(self) -> None:
        self.first = time.perf_counter() - self.began

    def finish(self) -> None:
        whole = time.perf_counter() - self.began
        taken = self.most.stop() - self.held
        views = [self.window.findChild(QWidget, name) for name in sorted(VIEWS)]
        blank = [view.objectName() for view in views if is_blank(view)]
        report({"seconds": self.first, "whole_seconds": whole, "taken_bytes": taken, "blank": blank})


class Peak(threading.Thread):
    """The most memory that the process held while this ran: the system's own mark knows no beginning."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._most, self._over = 0, threading.Event()
        self.start()

    def run(self) -> None:
        process = psutil.Process()
        while not self._over.wait(0.005):
            self._most = max(self._most, process.memory_info().rss)

    def stop(self) -> int:
        self._over.set()
        self.join()
        return max(self._most, psutil.Process().memory_info().rss)


def scene_of(view: Any) -> Any:
    while view is not None and view.objectName() != "slice-grid":
        view = view.parent()
    return view.scene if view is not None else None


def holds_scan(view: Any) -> bool:
    """Whether the viewer that the view belongs to has a whole scan."""
    scene = scene_of(view)
    return scene is not None and scene.opened is not None


def holds_part(view: Any) -> bool:
    """Whether the view has voxels of a scan that is still being decoded."""
    scene = scene_of(view)
    return scene is not None and scene.arriving is not None and view._pictures.arriving() is not None


def is_blank(view: QWidget) -> bool:
    """Whether the middle of the view shows one colour only."""
    image = view.grab().toImage()
    middle_x, middle_y = image.width() // 2, image.height() // 2
    colours = {image.pixel(middle_x + step, middle_y + step) for step in range(-40, 40, 4)}
    return len(colours) < 3
