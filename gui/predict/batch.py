"""Several scans predicted one after another: which wait, how far the one under way is, what became of the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PySide6.QtCore import QObject, Signal

from core.control import JobControl
from core.imaging.volume import Source, Volume
from core.paths import predictions_folder
from gui.context import AppContext
from gui.predict.worker_process import PredictionJob, PredictionRequest, worker_of

State = Literal["waiting", "running", "done", "failed", "cancelled"]
MAX_SCANS = 5_000


@dataclass
class BatchItem:
    """One scan of the queue and what became of it."""

    scan: Path
    model: str
    out: Path
    state: State = "waiting"
    job: PredictionJob | None = None
    error: Exception | None = None
    prediction: int = 0  # its row in the catalog, once done
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class Batch(QObject):
    """The queue. The worker is given one prediction at a time, so that a scan opened meanwhile need not wait long."""

    changed = Signal()  # scans came, went or changed their state
    progressed = Signal(int)  # the scan at this place got further
    finished = Signal()  # nothing waits or runs any more

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._context = context
        self.items: list[BatchItem] = []

    @property
    def busy(self) -> bool:
        return any(not item.over for item in self.items)

    def add(self, scans: Iterable[Path], model: str, out: Path) -> None:
        """Queue scans for a model; results are written into `out`."""
        self.items += [BatchItem(scan, model, out) for scan in scans]
        self._next()

    def cancel(self, item: BatchItem) -> None:
        if item.state == "waiting":
            item.state = "cancelled"
            self.changed.emit()
        elif item.job is not None:
            item.job.cancel()

    def cancel_all(self) -> None:
        for item in self.items:
            if item.state == "waiting":
                item.state = "cancelled"
        for item in self.items:
            self.cancel(item)
        self.changed.emit()

    def clear_over(self) -> None:
        self.items = [item for item in self.items if not item.over]
        self.changed.emit()

    def _next(self) -> None:
        item = next((item for item in self.items if item.state == "waiting"), None)
        if item is not None and not any(other.state == "running" for other in self.items):
            request = PredictionRequest(item.scan, item.model, free_folder(item.out, item.scan))
            item.state, item.job = "running", worker_of(self._context).predict(request)
            item.job.changed.connect(partial(self._job_changed, item))
            item.job.ended.connect(partial(self._job_ended, item))
            self._context.jobs.adopt(item.job)
        self.changed.emit()

    def _job_changed(self, item: BatchItem) -> None:
        if item in self.items:
            self.progressed.emit(self.items.index(item))

    def _job_ended(self, item: BatchItem) -> None:
        job, item.job = item.job, None
        if job is None:
            return
        item.state = "cancelled" if job.state == "cancelled" else "failed" if job.error is not None else "done"
        item.error = job.error
        if item.state == "done":
            item.prediction, item.seconds = int(job.result["id"]), float(job.result["seconds"])
            self._context.predictions_changed.emit()
        self._next()
        if not self.busy:
            self.finished.emit()


def default_folder() -> Path:
    """Where results of several scans go unless their user says otherwise."""
    return predictions_folder() / time.strftime("%Y-%m-%d")


def free_folder(out: Path, scan: Path) -> Path:
    """`out`, or a new folder inside it where a result of that name is there already: none is written over."""
    name = f"{scan_name(scan)}_seg.nii.gz"
    folder, number = out, 2
    while (folder / name).exists():
        folder, number = out / str(number), number + 1
    return folder


def scan_name(scan: Path) -> str:
    """The name that results of a scan carry."""
    return Volume(np.empty((0, 0, 0)), np.eye(4), Source(scan, "")).name


def find_scans(paths: Iterable[Path], control: JobControl) -> list[Path]:
    """The scans among what was dropped: files as they are, DICOM folders as one scan, the scans in other folders."""
    from core.imaging.reader import is_scan

    found: list[Path] = []
    for path in paths:
        control.progress(None, f"Looking at {path.name}")
        if not path.is_dir() or is_scan(path):
            found.append(path)
            continue
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                control.check()
                if is_scan(Path(folder, name)):
                    found.append(Path(folder, name))
            if len(found) > MAX_SCANS:
                break
    return found[:MAX_SCANS]
