"""The one piece of work that a page waits for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from core.control import JobControl
from gui.jobs.jobs import Job, JobRunner


class Card(Protocol):
    """Shows how far a job is, and has a Cancel."""

    cancel_requested: Any

    def show_job(self, job: Job) -> None: ...

    def setVisible(self, visible: bool) -> None: ...  # noqa: N802 - Qt's name


class PageWork(QObject):
    """Runs a job after another, shows the one that runs on the page's card, and ends it at the card's Cancel."""

    changed = Signal()  # one began or ended: the page shows its state anew

    def __init__(self, jobs: JobRunner, card: Card, failed: Callable[[Exception], None], parent: QObject) -> None:
        super().__init__(parent)
        self._jobs, self._card, self._failed = jobs, card, failed
        self._job: Job | None = None
        card.setVisible(False)
        card.cancel_requested.connect(self.cancel)

    @property
    def running(self) -> bool:
        return self._job is not None

    def run(self, title: str, work: Callable[[JobControl], Any], done: Callable[[Any], None]) -> None:
        """Do `work` as a job of this title; one that was running is cancelled."""
        self.cancel()
        self._job = job = self._jobs.run(title, work, done=done, failed=self._failed)
        job.changed.connect(self._show)
        job.ended.connect(partial(self._ended, job))
        self._card.setVisible(True)
        self._show()
        self.changed.emit()

    def cancel(self) -> None:
        """End what is running."""
        if self._job is not None:
            self._job.cancel()

    def _show(self) -> None:
        if self._job is not None:
            self._card.show_job(self._job)

    def _ended(self, job: Job) -> None:
        if self._job is job:
            self._job = None
            self._card.setVisible(False)
        self.changed.emit()
