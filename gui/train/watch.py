"""Follows one run in the catalog, whoever trains it: only what is new comes over, as plain arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from core.catalog import Catalog, CheckpointRow, EventRow, RunRow
from core.errors import CatalogError
from gui.stays.filling import FilledStays, read_filled
from gui.train.reader import CatalogReader

LIVE_MS = 250
IDLE_MS = 1500
CHUNK = 4000  # points in one answer: a long run comes over in parts, so that no part holds up the window
SILENT_SECONDS = 15.0  # after which it is asked whether the run's process still lives


@dataclass(frozen=True)
class Points:
    """New points of one metric, in the order they were written."""

    steps: np.ndarray
    epochs: np.ndarray
    values: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class Update:
    """What is new of a run since the last update. `run` is None when the run is no longer there."""

    run_id: str
    run: RunRow | None
    points: dict[str, Points] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    checkpoints: list[CheckpointRow] = field(default_factory=list)
    previews: list[int] = field(default_factory=list)  # the epochs that have one
    more: bool = False  # there are further points to ask for
    last_point: int = 0
    last_event: int = 0


@dataclass(frozen=True)
class Preview:
    """One slice of a validation case, (x, y) on RAS axes. caption: of pictures that are no segmentation."""

    epoch: int
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    dice: float
    case: str
    caption: str = ""


class RunWatcher(QObject):
    """Polls while it is told to watch; at most one question is under way, so a slow disk only slows the news."""

    updated = Signal(object)  # Update
    preview_loaded = Signal(object)  # Preview or FilledStays
    live_found = Signal(str)  # run id
    failed = Signal(object)  # an exception

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run_id = ""
        self._after = (0, 0)
        self._asked = False
        self._folder: Path | None = None
        self._reader = CatalogReader(self)
        self._reader.answered.connect(self._answered)
        self._reader.failed.connect(self._failed)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._ask)

    def watch(self, run_id: str) -> None:
        """Follow a run from its beginning; an empty id follows none."""
        self.run_id, self._after, self._asked, self._folder = run_id, (0, 0), False, None
        self._timer.stop()
        if run_id:
            self._timer.start(LIVE_MS)
            self._ask()

    def pause(self) -> None:
        """Ask no more until `go_on`: nobody is looking. Ends the thread."""
        self._timer.stop()
        self._asked = False
        self._reader.close()

    def go_on(self) -> None:
        if self.run_id and not self._timer.isActive():
            self._timer.start(LIVE_MS)
            self._ask()

    def find_live(self) -> None:
        """Look for a run that is going on; `live_found` names the newest."""
        self._reader.ask("live", live_run)

    def load_preview(self, epoch: int) -> None:
        folder = self._folder
        if folder is not None:
            path = folder / "previews" / f"epoch_{epoch:04d}.npz"
            self._reader.ask("preview", lambda _catalog: (self.run_id, read_preview(path, epoch)))

    def _ask(self) -> None:
        if self._asked:
            return
        self._asked = True
        run_id, after = self.run_id, self._after
        self._reader.ask("run", lambda catalog: look(catalog, run_id, after))

    def _answered(self, topic: str, answer: Any) -> None:
        if topic == "live":
            if answer:
                self.live_found.emit(answer)
            return
        if topic == "preview":
            run_id, preview = answer
            if run_id == self.run_id:
                self.preview_loaded.emit(preview)
            return
        if answer.run_id != self.run_id:
            return
        self._asked = False
        self._after = (answer.last_point, answer.last_event)
        if answer.run is None:
            self._timer.stop()
        else:
            self._folder = answer.run.folder
            self._timer.setInterval(LIVE_MS if answer.run.live else IDLE_MS)
        self.updated.emit(answer)
        if answer.more:
            self._ask()

    def _failed(self, topic: str, error: Exception) -> None:
        if topic == "run":
            self._asked = False
            self._timer.setInterval(IDLE_MS)
            self.failed.emit(error)


def live_run(catalog: Catalog) -> str:
    """The newest run that is going on; empty if none is."""
    catalog.mark_interrupted()
    return next((run.id for run in catalog.runs() if run.live), "")


def look(catalog: Catalog, run_id: str, after: tuple[int, int]) -> Update:
    """What the catalog and the run's folder hold beyond the point and event ids `after`."""
    try:
        run = catalog.run(run_id)
        if run.live and time.time() - (run.heartbeat or 0) > SILENT_SECONDS and catalog.mark_interrupted():
            run = catalog.run(run_id)
    except CatalogError:
        return Update(run_id, None)
    rows = catalog.metrics(run_id, after=after[0], limit=CHUNK)
    events = catalog.events(run_id, after=after[1])
    by_key: dict[str, list[Any]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    points = {
        key: Points(*np.array([(row.step, row.epoch, row.value, row.time) for row in of], dtype=np.float64).T.copy())
        for key, of in by_key.items()
    }
    return Update(
        run_id, run, points, events, catalog.checkpoints(run_id), preview_epochs(run.folder), len(rows) == CHUNK,
        last_point=rows[-1].id if rows else after[0], last_event=events[-1].id if events else after[1],
    )  # fmt: skip


def preview_epochs(folder: Path) -> list[int]:
    names = (path.stem.removeprefix("epoch_") for path in (folder / "previews").glob("epoch_*.npz"))
    return sorted(int(name) for name in names if name.isdigit())


def read_preview(path: Path, epoch: int) -> Preview | FilledStays:
    """Read one preview. Raises OSError, ValueError or KeyError for a file that is missing or torn."""
    with np.load(path, allow_pickle=False) as arrays:
        if "filled" in arrays:
            return read_filled(arrays, epoch)
        image, truth, prediction = arrays["image"], arrays["truth"], arrays["prediction"]
        if not image.ndim == 2 or not image.shape == truth.shape == prediction.shape:
            raise ValueError(f"{path} is no preview")
        caption = str(arrays["caption"]) if "caption" in arrays else ""
        return Preview(epoch, image, truth, prediction, float(arrays["dice"]), str(arrays["case"]), caption)
