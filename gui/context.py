"""What every page shares: jobs, settings, the catalog, and the requests pages make of each other."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Signal

from core.errors import IsocenterError
from core.paths import home
from gui.jobs.jobs import JobRunner

if TYPE_CHECKING:
    from core.catalog import Catalog

logger = logging.getLogger(__name__)


class AppContext(QObject):
    """One per window, handed to every page."""

    open_requested = Signal(object)  # list[Path]
    series_requested = Signal(object, str)  # Path of a DICOM folder, the UID of a series in it
    prediction_open_requested = Signal(int)  # catalog id
    page_requested = Signal(str)  # one of gui.widgets.rail.PAGES
    evaluation_requested = Signal(str)  # offer to evaluate this run (its id) or model (name-version) on the Review page
    training_requested = Signal(
        object, str, object
    )  # Path of data, its kind, settings by dotted key: fill the Train page
    model_requested = Signal(object)  # show this package on the Models page
    run_requested = Signal(str)  # show this run live on the Train page
    models_changed = Signal()
    runs_changed = Signal()
    predictions_changed = Signal()
    closing = Signal()  # end what jobs do not: idle child processes
    notice = Signal(str, str)  # level ("info", "ok", "warn", "bad") and a plain sentence

    def __init__(self, parent: QObject | None = None, settings: QSettings | None = None) -> None:
        super().__init__(parent)
        self.settings = settings or QSettings(str(home() / "settings.ini"), QSettings.Format.IniFormat)
        self.jobs = JobRunner(self, unheard=self.tell)
        self._catalog: Catalog | None = None

    def catalog(self) -> Catalog:
        """The GUI thread's catalog, opened at first need. Raises CatalogError."""
        if self._catalog is None:
            from core.catalog import Catalog  # imports SQLite helpers: not before the window shows

            self._catalog = Catalog()
        return self._catalog

    def attempt(self, work: Callable[[], object]) -> None:
        """Do something quick that may fail in a way a person can mend, which is then shown."""
        try:
            work()
        except IsocenterError as error:
            self.tell(error)

    def tell(self, error: Exception) -> None:
        """Show an error as a notice: the three parts of ours, a plain sentence and a log entry for any other."""
        if isinstance(error, IsocenterError):
            self.notice.emit("bad", str(error))
            return
        logger.error("%s", "".join(traceback.format_exception(error)))
        text = str(error) or type(error).__name__
        self.notice.emit("bad", f"Something went wrong: {text}. The details are in {home() / 'isocenter.log'}.")

    def close(self, seconds: float = 5.0) -> bool:
        """End all jobs and close the catalog. False if some work would not end in time."""
        ended = self.jobs.shutdown(seconds)
        self.closing.emit()
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None
        self.settings.sync()
        return ended
