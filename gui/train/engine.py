"""Trains in a QThread of the window. The engine's modules are imported in that thread: they are heavy."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.control import JobControl
from core.errors import Cancelled, IsocenterError
from gui.context import AppContext
from gui.jobs.jobs import Job


@dataclass(frozen=True)
class Failure:
    """Why a run failed, as data. `details` is a traceback, for an unexpected error only."""

    what: str
    where: str = ""
    mend: str = ""
    details: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        if isinstance(error, IsocenterError):
            return cls(error.what, error.where or "", error.mend or "")
        text = f"unexpected {type(error).__name__}: {error}".rstrip(": ")
        return cls(text, details="".join(traceback.format_exception(error)))

    @classmethod
    def told(cls, run_id: str, error: str) -> Failure:
        """What the catalog keeps of a failure: one line, `where: what. mend`."""
        what, _, mend = error.removeprefix(f"{run_id}: ").partition(". ")
        return cls(what or "the run failed", mend=mend)


class TrainingEngine(QObject):
    """Starts and resumes runs, one at a time in this window. What a run does is read from the catalog."""

    busy_changed = Signal()
    started = Signal(str)  # run id
    ended = Signal(str, object)  # run id (empty if it never began), Failure or None

    _prepared = Signal(str)
    _over = Signal(str, object)

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._context = context
        self.run_id = ""
        self.job: Job | None = None
        self._prepared.connect(self._take_id)
        self._over.connect(self._finish)

    @property
    def busy(self) -> bool:
        return self.job is not None

    def start(self, experiment: Any) -> None:
        """Prepare and train a valid experiment."""
        self._begin(f"Training {experiment.name}", experiment, "")

    def start_folds(self, experiment: Any, count: int) -> None:
        """Cross-validate a valid experiment: a run for each fold, one after another, as one job."""
        self._begin_folds(
            f"Cross-validating {experiment.name}", lambda folds, control: folds.prepare(experiment, count, control)
        )

    def resume_folds(self, group_id: str, name: str) -> None:
        """Go on with the open folds of a cross-validation."""
        self._begin_folds(f"Cross-validating {name}", lambda folds, control: folds.reopen(group_id, control))

    def resume(self, run_id: str) -> None:
        """Go on with a run that was stopped or interrupted."""
        self._begin("Training", None, run_id)

    def request(self, run_id: str, what: Any) -> None:
        """Ask any run, of this window or another program, to "stop", "pause", "resume" or "discard"."""
        from core.training import control

        try:
            control.request(run_id, what)
        except OSError as error:
            self._context.tell(error)

    def _begin(self, title: str, experiment: Any, run_id: str) -> None:
        self._begin_work(title, run_id, lambda control: self._work(experiment, run_id, control))

    def _begin_folds(self, title: str, make: Callable[[Any, JobControl], Any]) -> None:
        self._begin_work(title, "", lambda control: self._work_on_folds(make, control))

    def _begin_work(self, title: str, run_id: str, work: Callable[[JobControl], None]) -> None:
        if self.busy:
            return
        self.run_id = run_id
        self.job = self._context.jobs.run(title, work, failed=lambda _error: None, kind="training")
        # Cancel in the job list means the gentle end: stop and keep.
        self.job.cancel_requested.connect(self._stop)
        self.busy_changed.emit()
        if run_id:
            self.started.emit(run_id)

    def _work(self, experiment: Any, run_id: str, control: JobControl) -> None:
        """The whole of a run, in the job's thread."""
        resume = bool(run_id)
        failure = None
        try:
            from core.training import launch

            if not resume:
                run_id = launch.prepare_run(experiment, control)
                self._prepared.emit(run_id)
            launch.execute(run_id, resume=resume, beside_window=True, job=control)
        except Cancelled:
            pass
        except BaseException as error:  # a SystemExit of some library must not end the window
            failure = Failure.of(error)
            raise
        finally:
            self._over.emit(run_id, failure)

    def _work_on_folds(self, make: Callable[[Any, JobControl], Any], control: JobControl) -> None:
        """All folds that are open, in the job's thread; `started` tells of each."""
        failure, run_id = None, ""

        def started(_fold: int, id: str) -> None:
            nonlocal run_id
            run_id = id
            self._prepared.emit(id)

        try:
            from core.training import cross_validation

            make(cross_validation, control).train(started=started, beside_window=True, job=control)
        except Cancelled:
            pass
        except BaseException as error:  # as above
            failure = Failure.of(error)
            raise
        finally:
            self._over.emit(run_id, failure)

    def _take_id(self, run_id: str) -> None:
        self.run_id = run_id
        self._context.runs_changed.emit()
        self.started.emit(run_id)

    def _stop(self) -> None:
        if self.run_id:
            self.request(self.run_id, "stop")

    def _finish(self, run_id: str, failure: Failure | None) -> None:
        self.job = None
        self.run_id = ""
        self._context.runs_changed.emit()
        self.busy_changed.emit()
        self.ended.emit(run_id, failure)


def training(context: AppContext) -> TrainingEngine:
    """The window's one engine."""
    return context.findChild(TrainingEngine) or TrainingEngine(context)
