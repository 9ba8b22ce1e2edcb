"""Several scans predicted one after another: which wait, how far the one under way is, what became of the rest.

The folder of results keeps what became of each (core.inference.ledger), so a folder that is dropped again goes on where
it stopped, whether it was begun here or on the command line.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from core.control import JobControl
from core.errors import CatalogError
from core.inference.cases import Case, find_cases, subjects
from core.inference.package import ModelPackage
from core.paths import predictions_folder
from gui.context import AppContext
from gui.predict.worker_process import PredictionJob, PredictionRequest, worker_of

if TYPE_CHECKING:
    from core.catalog import Catalog

State = Literal["waiting", "running", "done", "known", "failed", "cancelled"]


@dataclass
class BatchItem:
    """One scan of the queue and what became of it; `known` was predicted before, in the same way."""

    case: Case
    model: str
    out: Path
    state: State = "waiting"
    job: PredictionJob | None = None
    error: Exception | None = None
    prediction: int = 0  # its row in the catalog, once done
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        return self.state in ("done", "known", "failed", "cancelled")


@dataclass(frozen=True)
class FoundScans:
    """The scans among what was dropped, each with the result that needs no second prediction; and what is no scan."""

    cases: list[tuple[Case, dict[str, Any] | None]]
    left_out: list[str]


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

    def add(self, found: FoundScans, model: str, out: Path) -> None:
        """Queue scans for a model; results are written into `out`. Those that are finished are only shown."""
        for case, known in found.cases:
            item = BatchItem(case, model, out)
            if known is not None:
                item.state, item.prediction = "known", int(known.get("id") or 0)
            self.items.append(item)
        self._next()

    def again(self, item: BatchItem) -> None:
        """Predict a scan anew; a result that is there stays as it is."""
        if item.over:
            item.state, item.error, item.prediction = "waiting", None, 0
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

    def forget(self, predictions: set[int]) -> None:
        """These were deleted: what made them cannot be opened from the queue any more."""
        for item in self.items:
            if item.prediction in predictions:
                item.prediction = 0
        self.changed.emit()

    def _next(self) -> None:
        item = next((item for item in self.items if item.state == "waiting"), None)
        if item is not None and not any(other.state == "running" for other in self.items):
            case = item.case
            request = PredictionRequest(
                case.scan, item.model, free_folder(item.out / case.folder, case.name), series=case.series,
                name=case.name, ledger=item.out, further=case.further,
            )  # fmt: skip
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


def free_folder(out: Path, name: str) -> Path:
    """`out`, or a new folder inside it where a result of that name is there already: none is written over."""
    folder, number = out, 2
    while (folder / f"{name}_seg.nii.gz").exists():
        folder, number = out / str(number), number + 1
    return folder


def find_scans(paths: Iterable[Path], package: ModelPackage, out: Path, control: JobControl) -> FoundScans:
    """Every file and series among what was dropped, and which of them `out` has the model's result of already."""
    from core.catalog import Catalog
    from core.inference.ledger import Ledger, settings_of

    found = find_cases(paths, control, out)
    ledger = Ledger(out, package, settings_of(None, None, False))
    channels = package.plan.channels
    wanted = subjects(found.cases, channels) if channels > 1 else found.cases
    cases = []
    with Catalog() as catalog:
        for number, case in enumerate(wanted):
            control.progress(number / len(wanted), f"Looking at {case.title}")
            known = ledger.finished(case)
            cases.append((case, known and {**known, "id": _listed(catalog, case, known)}))
    return FoundScans(cases, found.left_out)


def _listed(catalog: Catalog, case: Case, known: dict[str, Any]) -> int:
    """The id of a result's row; 0 where it was deleted, or the folder came from another home, with ids of its own."""
    try:
        row = catalog.prediction(int(known.get("id") or 0))
    except CatalogError:
        return 0
    same = row.scan == case.scan.absolute() and row.output.name == Path(str(known.get("output"))).name
    return row.id if same else 0
