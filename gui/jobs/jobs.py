"""Jobs: work on a QThread, or in a child process someone else drives, shown and cancelled in one way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from PySide6.QtCore import QDeadlineTimer, QObject, QThread, Signal, Slot

from core.control import JobControl
from core.errors import Cancelled, IsocenterError

logger = logging.getLogger(__name__)
T = TypeVar("T")
State = Literal["running", "done", "failed", "cancelled"]


class Job(QObject):
    """One piece of work as a person sees it. Lives on the GUI thread.

    `kind`: "training" makes the window ask before it closes, and a cancel stops gently; "background" is not shown.

    Work of a child process makes a `Job`, hands it to `JobRunner.adopt`, calls `report`, `finish` and `fail` as news
    comes, and listens to `cancel_requested`.
    """

    changed = Signal()
    cancel_requested = Signal()
    ended = Signal()

    def __init__(self, title: str, *, kind: str = "", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.kind = kind
        self.state: State = "running"
        self.fraction: float | None = None
        self.message = ""
        self.error: Exception | None = None

    @property
    def running(self) -> bool:
        return self.state == "running"

    def cancel(self) -> None:
        """Ask the work to end. A job on a thread counts as cancelled at once, whenever its work notices."""
        if self.running:
            self.cancel_requested.emit()

    def report(self, fraction: float | None, message: str) -> None:
        if self.running:
            self.fraction, self.message = fraction, message
            self.changed.emit()

    def finish(self, state: State = "done") -> None:
        if self.running:
            self.state = state
            self.fraction = 1.0 if state == "done" else self.fraction
            self.changed.emit()
            self.ended.emit()

    def fail(self, error: Exception) -> None:
        if self.running:
            self.error = error
            self.finish("failed")


class _Work(QThread):
    """Runs one function; whatever it raises is kept, never lost with the thread."""

    news = Signal()

    def __init__(self, work: Callable[[JobControl], Any]) -> None:
        super().__init__()
        self.control = JobControl(self._listen)
        self.result: Any = None
        self.error: BaseException | None = None
        self._work: Callable[[JobControl], Any] | None = work
        self._latest: tuple[float | None, str] | None = None

    def _listen(self, fraction: float | None, message: str) -> None:
        waiting = self._latest is not None
        self._latest = (fraction, message)
        if not waiting:  # one signal per look of the GUI thread, however often the work reports
            self.news.emit()

    def take_news(self) -> tuple[float | None, str] | None:
        latest, self._latest = self._latest, None
        return latest

    def run(self) -> None:
        work, self._work = self._work, None
        try:
            self.result = work(self.control) if work is not None else None
        except BaseException as error:  # a SystemExit that leaves run() would end the whole program
            self.error = error
        if self.control.cancelled:
            self.result = None


class _ThreadJob(Job):
    """A job and the thread that does it."""

    def __init__(self, title: str, kind: str, thread: _Work, parent: QObject) -> None:
        super().__init__(title, kind=kind, parent=parent)
        self.thread_of_work = thread
        self.done: Callable[[Any], None] | None = None
        self.failed: Callable[[Exception], None] | None = None
        thread.news.connect(self._show_news)

    @Slot()
    def _show_news(self) -> None:
        news = self.thread_of_work.take_news()
        if news is not None:
            self.report(*news)

    def cancel(self) -> None:
        if not self.running or self.thread_of_work.control.cancelled:
            return
        self.thread_of_work.control.cancel()
        self.cancel_requested.emit()
        if self.kind == "training":  # it ends by itself once its checkpoints are safe
            self.report(None, "Stopping, and keeping the checkpoints")
        else:
            self.finish("cancelled")


class JobRunner(QObject):
    """All jobs of the window."""

    job_added = Signal(object)
    job_ended = Signal(object)

    def __init__(self, parent: QObject | None = None, unheard: Callable[[Exception], None] | None = None) -> None:
        """`unheard` is told of failures that no one else takes."""
        super().__init__(parent)
        self.jobs: list[Job] = []
        self._unheard = unheard
        self._threads: dict[_Work, _ThreadJob] = {}

    def run(
        self,
        title: str,
        work: Callable[[JobControl], T],
        *,
        done: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
        kind: str = "",
    ) -> Job:
        """Do `work` on a thread of its own.

        `done(result)` or `failed(error)` is called on the GUI thread; a cancelled job calls neither. With no
        `failed`, the failure becomes a notice.
        """
        thread = _Work(work)
        job = _ThreadJob(title, kind, thread, self)
        job.done, job.failed = done, failed
        self._threads[thread] = job
        thread.finished.connect(self._thread_finished)
        self.adopt(job)
        thread.start()
        return job

    def adopt(self, job: Job) -> None:
        """Show a job that someone else drives."""
        self.jobs.append(job)
        job.ended.connect(self._forget)
        self.job_added.emit(job)

    @Slot()
    def _forget(self) -> None:
        job = self.sender()
        if isinstance(job, Job) and job in self.jobs:
            self.jobs.remove(job)
            self.job_ended.emit(job)

    @Slot()
    def _thread_finished(self) -> None:
        # The sender may be one of several that ended at once: look at them all.
        for thread in [thread for thread in self._threads if thread.isFinished()]:
            job = self._threads.pop(thread)
            thread.wait()
            self._settle(job, thread)
            thread.deleteLater()
            job.setParent(None)  # from here on it lives as long as someone holds it

    def _settle(self, job: _ThreadJob, thread: _Work) -> None:
        if not job.running:  # it was cancelled while its work went on
            return
        if thread.control.cancelled:
            job.finish("cancelled")
            return
        error, result, thread.result = thread.error, thread.result, None
        done, failed = job.done, job.failed
        job.done = job.failed = None
        if error is None:
            job.finish("done")
            if done is not None:
                done(result)
        elif isinstance(error, Cancelled):
            job.finish("cancelled")
        else:
            shown = error if isinstance(error, Exception) else RuntimeError(f"the work ended early ({error!r})")
            if not isinstance(error, IsocenterError):
                logger.error("Job %r failed", job.title, exc_info=error)
            job.fail(shown)
            take = failed or self._unheard
            if take is not None:
                take(shown)

    def shutdown(self, seconds: float = 5.0) -> bool:
        """Cancel everything and wait. False if some work did not end in that time."""
        for job in list(self.jobs):
            job.cancel()
        deadline = QDeadlineTimer(int(seconds * 1000))
        ended = [thread.wait(deadline) for thread in list(self._threads)]
        self._thread_finished()
        return all(ended)
