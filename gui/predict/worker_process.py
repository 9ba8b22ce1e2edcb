"""Predictions in a child process, so that a cancel is a kill: at once, memory freed, whatever the network was doing."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal, Slot

from core.errors import IsocenterError
from gui.jobs.jobs import Job

if TYPE_CHECKING:
    from gui.context import AppContext

logger = logging.getLogger(__name__)
CHECKOUT = Path(__file__).resolve().parents[2]
STDERR_KEPT = 4_000
QUIT_MS = 2_000


class PredictionFailed(IsocenterError):
    """A prediction that its child process refused or could not finish."""


@dataclass(frozen=True)
class PredictionRequest:
    """One scan for one model; the result is written into the folder `out`. `series`: the UID in a DICOM folder.

    further: the files of a subject's other channels; without them, those beside the scan are found by their names.
    mirror, members, roi: see `core.inference.predictor.segment` and `ModelPackage.first`; None: as the model is used.
    """

    scan: Path
    model: str
    out: Path
    device: str = "auto"
    series: str = ""
    name: str = ""  # stands for the stem of the scan's file
    ledger: Path | None = None  # the folder of results that keeps a table of what became of each scan
    mirror: bool | str | None = None
    members: int | None = None
    roi: bool | None = None
    uncertainty: bool = False  # whether its map is written too
    further: tuple[Path, ...] = ()
    time_point: int | None = None  # of a scan of several volumes, counted from 0


class PredictionJob(Job):
    """A prediction under way; once done, `result` is what the command line's --json gives of it."""

    def __init__(self, request: PredictionRequest) -> None:
        super().__init__(f"Predict {request.scan.name}", kind="prediction")
        self.request = request
        self.result: dict[str, Any] = {}


class PredictionWorker(QObject):
    """Runs predictions one after another in one child process that is started when first needed and then kept.

    A process that dies, by a cancel or by itself, is replaced by the next prediction.
    """

    warmed = Signal()  # the child has loaded what it needs

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._dying: list[QProcess] = []
        self._waiting: deque[PredictionJob] = deque()
        self._current: PredictionJob | None = None
        self._number = 0
        self._unread = b""
        self._stderr = b""
        self._closed = False

    @property
    def busy(self) -> bool:
        return self._current is not None

    def warm_up(self) -> None:
        """Start the child now, so that the next prediction does not wait for its imports."""
        if not self._closed and self._process is None:
            self._start()

    def predict(self, request: PredictionRequest) -> PredictionJob:
        """Queue a prediction. The caller hands the job to the job runner; cancelling it kills the child at once."""
        job = PredictionJob(request)
        job.message = "Waiting for the prediction before it" if self.busy else "Starting"
        job.cancel_requested.connect(self._cancel)
        self._waiting.append(job)
        QTimer.singleShot(0, self._next)  # the caller listens before anything can happen
        return job

    @Slot()
    def _cancel(self) -> None:
        job = self.sender()
        if not isinstance(job, PredictionJob):
            return
        if job in self._waiting:
            self._waiting.remove(job)
        if job is self._current:
            self._current = None
            self._discard()
        job.finish("cancelled")
        self._next()

    def shutdown(self) -> None:
        """Cancel everything and leave no process behind."""
        self._closed = True
        waiting, self._waiting = list(self._waiting), deque()
        current, self._current = self._current, None
        self._discard()
        for job in [current, *waiting]:
            if job is not None:
                job.finish("cancelled")
        for process in list(self._dying):
            process.waitForFinished(QUIT_MS)

    # ---- the child ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        process = QProcess(self)
        process.setProgram(sys.executable)
        process.setArguments(["-m", "core.inference.worker"])
        process.setProcessEnvironment(environment())
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_errors)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._not_started)
        self._process, self._unread, self._stderr = process, b"", b""
        process.start()

    def _discard(self) -> None:
        """Kill the child without waiting for it."""
        process, self._process = self._process, None
        if process is None:
            return
        for signal in (process.readyReadStandardOutput, process.readyReadStandardError, process.finished):
            signal.disconnect()
        process.errorOccurred.disconnect()
        self._dying.append(process)
        process.finished.connect(self._bury)
        process.kill()
        self._bury()

    def _bury(self) -> None:
        for process in [p for p in self._dying if p.state() == QProcess.ProcessState.NotRunning]:
            self._dying.remove(process)
            process.deleteLater()

    def _next(self) -> None:
        if self._closed or self._current is not None or not self._waiting:
            return
        self._current = self._waiting.popleft()
        self.warm_up()
        self._number += 1
        request = self._current.request
        line = {
            "id": self._number, "scan": str(request.scan), "model": request.model, "out": str(request.out),
            "device": request.device, "series": request.series, "mirror": request.mirror, "members": request.members,
            "roi": request.roi, "uncertainty": request.uncertainty, "name": request.name,
            "further": [str(path) for path in request.further], "time_point": request.time_point,
            "ledger": None if request.ledger is None else str(request.ledger),
        }  # fmt: skip
        self._current.report(None, "Starting")
        if self._process is not None:  # a program that cannot be started has ended the job by now
            self._process.write(json.dumps(line).encode() + b"\n")

    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._unread = (self._unread + bytes(self._process.readAllStandardOutput())).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # what a library printed
            if isinstance(event, dict):
                self._handle(event)

    def _handle(self, event: dict[str, Any]) -> None:
        kind, job = event.get("event"), self._current
        if kind == "ready" and event.get("id") is None:
            self.warmed.emit()
        if job is None or event.get("id") != self._number:
            return
        if kind == "progress":
            job.report(event.get("fraction"), event.get("message") or job.message)
        elif kind == "done":
            self._current = None
            job.result = event.get("result") or {}
            job.finish()
            self._next()
        elif kind == "failed":
            error = event.get("error") or {}
            what = error.get("what") or "the prediction failed"
            where = error.get("where") or job.request.scan
            self._fail(PredictionFailed(what, where=where, mend=error.get("mend")))

    def _fail(self, error: PredictionFailed) -> None:
        job, self._current = self._current, None
        if job is not None:
            job.fail(error)
        self._next()

    def _read_errors(self) -> None:
        if self._process is not None:
            said = bytes(self._process.readAllStandardError())
            logger.info("%s", said.decode(errors="replace").rstrip())
            self._stderr = (self._stderr + said)[-STDERR_KEPT:]

    def _ended(self) -> None:
        """The child ended by itself: a crash, or killed by the system for want of memory."""
        process, self._process = self._process, None
        if process is None:
            return
        process.deleteLater()
        last = self._stderr.decode(errors="replace").strip().splitlines()[-1:]
        said = last[0][:200] if last else f"code {process.exitCode()}"
        self._fail(
            PredictionFailed(
                f"the prediction's process ended unexpectedly ({said})",
                where=self._current.request.scan if self._current is not None else None,
                mend="Predict again. If it happens again, the scan may need more memory than is free.",
            )
        )

    def _not_started(self, error: QProcess.ProcessError) -> None:
        process = self._process
        if error != QProcess.ProcessError.FailedToStart or process is None:
            return
        self._process = None
        process.deleteLater()
        mend = "Set the program up again; its files may have been moved."
        self._fail(PredictionFailed("Python could not be started", where=process.program(), mend=mend))


def environment() -> QProcessEnvironment:
    """The child's: it finds `core` from a checkout, and leaves one core to the window."""
    variables = QProcessEnvironment.systemEnvironment()
    paths = [str(CHECKOUT), variables.value("PYTHONPATH")]
    variables.insert("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    variables.insert("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))
    variables.insert("PYTHONUNBUFFERED", "1")
    variables.insert("PYTHONIOENCODING", "utf-8")
    return variables


def worker_of(context: AppContext) -> PredictionWorker:
    """The one worker of the window, made when first asked for; it ends with the context."""
    worker = context.findChild(PredictionWorker)
    if isinstance(worker, PredictionWorker):
        return worker
    made = PredictionWorker(context)
    context.closing.connect(made.shutdown)
    return made
