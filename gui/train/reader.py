"""Asks the catalog on a thread of its own, so that a busy disk or a locked catalog never holds the window."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from core.catalog import Catalog

Question = Callable[[Catalog], Any]
END_MS = 200
_ending: set[QThread] = set()  # keeps threads that end late from being collected while they run


class _Thread(QThread):
    """Answers questions, newest of a topic first come; opens its own connection and closes it at the end."""

    answered = Signal(str, object)
    failed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("catalog reader")
        self._waiting: dict[str, Question] = {}
        self._condition = threading.Condition()
        self._ended = False

    def put(self, topic: str, question: Question) -> None:
        with self._condition:
            self._waiting[topic] = question
            self._condition.notify()

    def end(self) -> None:
        """End after the question under way. A thread that still waits for a locked catalog ends by itself."""
        with self._condition:
            self._ended = True
            self._waiting.clear()
            self._condition.notify()
        if not self.wait(END_MS) and self.isRunning():
            _ending.add(self)
            self.finished.connect(lambda: _ending.discard(self))

    def run(self) -> None:
        catalog: Catalog | None = None
        try:
            while True:
                with self._condition:
                    self._condition.wait_for(lambda: self._waiting or self._ended)
                    if self._ended:
                        return
                    topic = next(iter(self._waiting))
                    question = self._waiting.pop(topic)
                try:
                    catalog = catalog or Catalog()
                    answer = question(catalog)
                except Exception as error:  # handed over as data: an exception must not end the thread
                    self.failed.emit(topic, error)
                else:
                    self.answered.emit(topic, answer)
        finally:
            if catalog is not None:
                catalog.close()


class CatalogReader(QObject):
    """`ask` a topic's question; the answer comes by signal. A newer question replaces one that still waits."""

    answered = Signal(str, object)
    failed = Signal(str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: _Thread | None = None

    def ask(self, topic: str, question: Question) -> None:
        if self._thread is None:
            self._thread = _Thread()
            self._thread.answered.connect(self.answered)
            self._thread.failed.connect(self.failed)
            self.destroyed.connect(self._thread.end)
            self._thread.start()
        self._thread.put(topic, question)

    def close(self) -> None:
        """End the thread; a later `ask` starts another."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self.destroyed.disconnect(thread.end)
            thread.answered.disconnect(self.answered)
            thread.failed.disconnect(self.failed)
            thread.end()
