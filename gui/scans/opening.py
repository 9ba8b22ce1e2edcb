"""From a path to an open scan: looked at and read in jobs; where there are several to choose from, asks which."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from core.control import JobControl
from core.imaging.titles import SUFFIXES, VOLUME_SUFFIXES
from gui.context import AppContext

if TYPE_CHECKING:
    from core.imaging.choices import ScanChoice
    from core.imaging.partial import PartialVolume
    from gui.jobs import Job
    from gui.viewer.arriving import ArrivingScan
    from gui.viewer.scene import OpenedScan

SHOWN_WITH_A_SCAN = (  # imported beside the window, which would stand still for them
    "gui.scans.workspace",
    "core.inference.package",
    "core.catalog",
)
# Files of these formats are one scan each; others may be slices of one series.
WHOLE = (*VOLUME_SUFFIXES, ".img")
SCAN_FILES = f"Scans ({' '.join('*' + suffix for suffix in SUFFIXES)} DICOMDIR);;All files (*)"  # for file dialogs


class Opener(QObject):
    """Reads what it is asked for, each once."""

    opened = Signal(object, bool)  # OpenedScan, whether its user asked for it
    choice_needed = Signal(object)  # list[ScanChoice]
    arriving = Signal(object, object)  # ArrivingScan, its Job: shown until the whole scan is opened, or it is gone
    gone = Signal(object)  # the Job of a scan that will not be opened: its file is damaged, or it was cancelled
    _handed_over = Signal(object, object)  # from the job's thread: ArrivingScan, the request it answers

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._under_way: set[tuple[Path, str]] = set()
        self._requests: dict[object, Job] = {}
        self._handed_over.connect(self._show_arriving)

    def open_paths(self, paths: Sequence[Path], *, by_user: bool = True) -> None:
        """Open files, folders and DICOMDIRs; many slices that were dropped together are one scan."""
        slices = [path for path in paths if path.is_file() and not path.name.lower().endswith(WHOLE)]
        if len(slices) > 1:
            self._open_slices(slices)
            paths = [path for path in paths if path not in slices]
        for path in paths:
            self.open(path, by_user=by_user)

    def _open_slices(self, files: list[Path]) -> None:
        def look(control: JobControl) -> list[Path]:
            from core.imaging.choices import one_per_series

            control.progress(None, "Looking at the files")
            return one_per_series(files, control)

        def done(found: list[Path]) -> None:
            for path in found:
                self.open(path)

        self._context.jobs.run(f"Opening {len(files)} files", look, done=done)

    def open(self, path: Path, series: str = "", *, by_user: bool = True) -> None:
        """Read a scan, or find out which there are behind `path` where that was not said."""
        key = (path.absolute(), series)
        if key in self._under_way:
            return
        self._under_way.add(key)
        path = key[0]
        request = object()

        def show_early(partial: PartialVolume) -> None:
            from gui.viewer.arriving import ArrivingScan

            self._handed_over.emit(ArrivingScan.prepare(partial), request)

        def read(control: JobControl) -> OpenedScan | list[ScanChoice]:
            from core.imaging import choices, reader
            from gui.viewer.scene import OpenedScan

            for module in SHOWN_WITH_A_SCAN:
                control.check()
                importlib.import_module(module)
            target = path
            if not series and choices.is_collection(path):
                control.progress(None, f"Looking into {path.name}")
                found = choices.choices_in(path, control)
                if len(found) > 1:
                    return found
                target = found[0].path if found else path
            control.progress(None, f"Reading {target.name}")
            volume = reader.read(target, control, series=series or None, early=show_early)
            control.check()
            return OpenedScan.prepare(volume)

        def done(found: OpenedScan | list[ScanChoice]) -> None:
            self._under_way.discard(key)
            if isinstance(found, list):
                self.choice_needed.emit(found)
            else:
                self.opened.emit(found, by_user)

        job = self._context.jobs.run(f"Opening {path.name}", read, done=done)
        self._requests[request] = job

        def ended() -> None:
            self._under_way.discard(key)
            del self._requests[request]
            if job.state != "done":
                self.gone.emit(job)

        job.ended.connect(ended)

    @Slot(object, object)
    def _show_arriving(self, arriving: ArrivingScan, request: object) -> None:
        job = self._requests.get(request)
        if job is not None:  # else it was cancelled while this was on its way
            self.arriving.emit(arriving, job)


def dropped_paths(urls: Iterable[Any]) -> list[Path]:
    """The local files and folders among what was dropped."""
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
