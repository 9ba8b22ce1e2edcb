"""The window: the rail, the bar on top, the pages and the line at the foot. It holds no logic of theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from core.control import JobControl
from core.errors import IsocenterError
from core.imaging.titles import title_of
from gui.actions import Actions
from gui.away import Away
from gui.context import AppContext
from gui.dropping import page_of, place_of, some
from gui.jobs.job_line import JobLine
from gui.leaving import CANCEL, KEEP, STOP, ask_about_training
from gui.pages import LAZY, make_page
from gui.scans.choosing import Chooser
from gui.scans.commands import ScanCommands
from gui.scans.opening import dropped_paths
from gui.scans.page import ScansPage
from gui.widgets import NoticeBar
from gui.widgets.rail import PAGES, Rail
from gui.widgets.sizes import RememberedSizes
from gui.widgets.status_line import StatusLine
from gui.widgets.top_bar import TopBar

GEOMETRY_KEY = "window/geometry"
ONE_AT_A_TIME = "Tables open one at a time, and stays too: drop the folder that holds them."


class MainWindow(QMainWindow):
    painted = Signal()  # once, when the first picture of the window is on the screen

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("main-window")
        self.setWindowTitle("Isocenter")
        self.setAcceptDrops(True)
        self.setMinimumSize(900, 600)
        self.context = context
        self._was_painted = False
        self.away = Away(self)
        self.away.returned.connect(self._returned)
        self.away.stop_requested.connect(self._stop_training)
        self.scans = ScansPage(context)
        self.pages: dict[str, QWidget] = {"scans": self.scans}
        self._sizes = RememberedSizes(context.settings)
        self.page = "scans"
        self._chooser = Chooser(context, self)
        self.actions_ = Actions(
            self, context.settings, self._chooser, ScanCommands(context, self.scans),
            close_scan=self.scans.close_scan, open_sample=self.open_sample, show_page=self.show_page,
        )  # fmt: skip
        self.rail = Rail(self.actions_.menu)
        self.top_bar = TopBar()
        self.notice = NoticeBar()
        self.stack = QStackedWidget()
        self.stack.addWidget(self.scans)
        self.job_line = JobLine(context.jobs)
        self.status = StatusLine(self.job_line)
        self._arrange()
        self._connect()
        self.resize(1440, 900)
        geometry = context.settings.value(GEOMETRY_KEY)
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        self.rail.mark("scans")

    def _arrange(self) -> None:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget, stretch in ((self.top_bar, 0), (self.notice, 0), (self.stack, 1)):
            column.addWidget(widget, stretch)
        beside = QHBoxLayout()
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(0)
        beside.addWidget(self.rail)
        beside.addWidget(middle, 1)
        whole = QWidget()
        whole.setProperty("role", "page")
        whole.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.painted.connect(whole.setFocus)  # no button wears the ring before a key was pressed
        outer = QVBoxLayout(whole)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(beside, 1)
        outer.addWidget(self.status)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        context = self.context
        context.open_requested.connect(self.open_paths)
        context.series_requested.connect(self.open_series)
        context.page_requested.connect(self.show_page)
        context.prediction_open_requested.connect(self._prepare_for_prediction)
        context.run_requested.connect(partial(self._hand, "train", "show_run"))
        context.model_requested.connect(partial(self._hand, "models", "select"))
        context.training_requested.connect(self._set_up_training)
        context.evaluation_requested.connect(partial(self._hand, "review", "ask"))
        context.notice.connect(self.notice.show_notice)
        context.jobs.job_ended.connect(self._job_ended)
        self.rail.page_chosen.connect(self.show_page)
        self.scans.scan_changed.connect(lambda _volume: self._update_title())
        self.scans.scan_changed.connect(lambda _volume: self._show_cursor())
        self.scans.cursor_changed.connect(self._show_cursor)
        self.scans.viewer_made.connect(lambda: self.top_bar.offer("scans", self.scans.toolbar_widgets()))
        self.scans.welcome.sample_requested.connect(lambda: self.open_sample())
        self.scans.welcome.files_requested.connect(self._chooser.choose_files)
        self.scans.welcome.folder_requested.connect(self._chooser.choose_folder)

    # ---- pages --------------------------------------------------------------------------------------------------

    def show_page(self, key: str) -> None:
        """Bring a page to the front; it is made at its first visit."""
        if key not in PAGES:
            return
        if key not in self.pages:
            try:
                page = make_page(key, self.context)
            except Exception as error:
                self.rail.mark(self.page)
                self.context.tell(error)
                return
            self.pages[key] = page
            self._sizes.restore(key, page)
            self.stack.addWidget(page)
            offered = getattr(page, "toolbar_widgets", None)
            if offered is not None:
                self.top_bar.offer(key, offered())
        self.page = key
        self.stack.setCurrentWidget(self.pages[key])
        self.rail.mark(key)
        self._update_title()
        self._show_cursor()

    def _hand(self, page: str, act: str, *given: object, **more: object) -> None:
        """Bring a page to the front and have it do something; one that could not be made does nothing."""
        self.show_page(page)
        done: Callable[..., object] | None = getattr(self.pages.get(page), act, None)
        if done is not None:
            done(*given, **more)

    def _set_up_training(self, path: Path, kind: str, values: object) -> None:
        self._hand("train", "choose_data", path, values, kind=kind)

    def _prepare_for_prediction(self, id: int) -> None:
        """Hand the request to the page of the prediction's kind; that of scans may first have to be made."""
        try:
            row = self.context.catalog().prediction(id)
        except IsocenterError as error:
            self.context.tell(error)
            return
        page = page_of(row.task)
        if page != "scans":
            self._hand(page, "open_prediction", row)
        elif self.scans.predict_panel is None:
            self.scans.prepare()
            QTimer.singleShot(0, self, lambda: self.context.prediction_open_requested.emit(id))

    def _update_title(self) -> None:
        volume = None if self.scans.choosing else self.scans.volume
        on_scans = "" if self.scans.choosing else self.scans.title
        self.top_bar.set_what(on_scans if self.page == "scans" else LAZY[self.page][2])
        self.top_bar.show_tools(
            "scans" if self.page == "scans" and volume else self.page if self.page != "scans" else ""
        )
        # The file's name: a series' own description may name the patient, and titles leave the window.
        self.setWindowTitle(f"{title_of(volume.source.path)} – Isocenter" if volume else "Isocenter")

    def _show_cursor(self) -> None:
        on_scans = self.page == "scans" and self.scans.volume is not None and not self.scans.choosing
        self.status.show_cursor(self.scans.scene if on_scans else None)

    # ---- opening ------------------------------------------------------------------------------------------------

    def open_paths(self, paths: list[Path], *, by_user: bool = True) -> None:
        """Open each on the page of its kind: scans, a table, stays. `by_user`: not by the program itself."""
        places = {path: place_of(path) for path in paths}
        of = {page: [path for path, place in places.items() if place == page] for page in ("tables", "stays", "scans")}
        scans, left_out = of.pop("scans"), []
        for page, found in of.items():
            if found:
                self._hand(page, "open", found[0])
                left_out += found[1:]
        if scans:
            self.show_page("scans")
            self.notice.dismiss()
            self.scans.open_paths(scans, by_user=by_user)
        if left_out:
            self.context.notice.emit("warn", f"Not opened: {some([path.name for path in left_out])}. {ONE_AT_A_TIME}")

    def open_series(self, path: Path, series: str) -> None:
        """Open one series of a DICOM folder on the Scans page."""
        self.show_page("scans")
        self.notice.dismiss()
        self.scans.open_series(path, series)

    def open_sample(self, *, by_user: bool = True) -> None:
        """Open the sample scan; it is written to the home folder the first time."""

        def find(_control: JobControl) -> Path:
            from core.imaging.sample import sample_scan

            return sample_scan()

        def done(path: Path) -> None:
            self.open_paths([path], by_user=by_user)

        self.context.jobs.run("Preparing the sample scan", find, done=done)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self.scans.welcome.set_drag_over(True)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.scans.welcome.set_drag_over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.scans.welcome.set_drag_over(False)
        paths = dropped_paths(event.mimeData().urls())
        event.acceptProposedAction()
        if paths:
            self.context.open_requested.emit(paths)
        else:
            self.context.notice.emit("warn", "Only files and folders of this computer can be dropped here.")

    # ---- showing and closing ------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.UpdateRequest and not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)
        return done

    def closeEvent(self, event: QCloseEvent) -> None:
        training = [job for job in self.context.jobs.jobs if job.kind == "training"]
        answer = ask_about_training(self, has_tray=self.away.tray_available()) if training else STOP
        if answer == CANCEL:
            event.ignore()
        elif answer == KEEP:
            event.ignore()
            self.away.go()
        else:
            self.context.settings.setValue(GEOMETRY_KEY, self.saveGeometry())
            self._sizes.save()
            self.scans.shut_down()
            for job in training:
                job.cancel()
            self._close_pages()
            event.accept()

    def _close_pages(self) -> None:
        for page in self.pages.values():
            close: Callable[[], object] | None = getattr(page, "shut_down", None)
            if close is not None and page is not self.scans:
                close()

    def _job_ended(self, _job: object) -> None:
        if self.away.is_away and not any(job.kind == "training" for job in self.context.jobs.jobs):
            self.away.end()
            self.close()

    def _returned(self) -> None:
        self.context.notice.emit("info", "The training goes on, and the window stays open when it ends.")

    def _stop_training(self) -> None:
        for job in [job for job in self.context.jobs.jobs if job.kind == "training"]:
            job.cancel()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.scans.welcome.set_drag_over(False)
