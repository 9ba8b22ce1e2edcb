"""The Scans page: what is open on the left, the views in the middle, the prediction on the right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QMenu, QStackedWidget, QWidget

from core.imaging.titles import title_of
from gui.context import AppContext
from gui.scans import recent
from gui.scans.open_scan import OpenScan
from gui.scans.opening import Opener
from gui.scans.welcome import WelcomePage
from gui.widgets import menu_button

if TYPE_CHECKING:
    from core.control import JobControl
    from core.imaging.choices import ScanChoice
    from core.imaging.volume import Finding, Volume
    from gui.jobs import Job
    from gui.predict.panel import PredictPanel
    from gui.scans.picker import SeriesPicker
    from gui.scans.registered import Registered
    from gui.scans.workspace import Workspace
    from gui.viewer.arriving import ArrivingScan
    from gui.viewer.scene import OpenedScan, Scene
    from gui.viewer.slice_grid import SliceGrid


class ScansPage(QStackedWidget):
    """Starts as the welcome page; the viewer is made when first needed, or when the window has a quiet moment."""

    scan_changed = Signal(object)  # Volume or None
    cursor_changed = Signal()
    viewer_made = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scans-page")
        self._context = context
        self.welcome = WelcomePage(context, self)
        self.addWidget(self.welcome)
        self.open_scans: list[OpenScan] = []
        self.front = -1
        self.scene: Scene
        self.grid: SliceGrid | None = None
        self.predict_panel: PredictPanel | None = None
        self._workspace: Workspace
        self._picker: SeriesPicker | None = None
        self._opener = Opener(context, self)
        self._opener.opened.connect(self._take)
        self._opener.choice_needed.connect(self.offer)
        self._opener.arriving.connect(self._show_arriving)
        self._opener.gone.connect(self._arriving_gone)
        self._arriving: Job | None = None  # reads the scan that is shown while it is still being decoded
        self._left: tuple[OpenScan, Any] | None = None  # the scan it took the place of, and its cursor in RAS mm
        self._layout_menu = QMenu(self)
        self._window_menu = QMenu(self)

    # ---- making the viewer --------------------------------------------------------------------------------------

    def prepare(self) -> SliceGrid:
        """Make the viewer if there is none yet."""
        if self.grid is not None:
            return self.grid
        from gui.scans.workspace import Workspace

        made = self._workspace = Workspace(self._context)
        self.scene, self.grid, self.predict_panel = made.scene, made.grid, made.predict_panel
        made.list.chosen.connect(self.bring_to_front)
        made.list.close_requested.connect(self.close_scan)
        self.addWidget(made)
        made.fill_layout_menu(self._layout_menu)
        self.scene.listen(self._scene_changed)
        self.viewer_made.emit()
        return self.grid

    def warm_up(self) -> None:
        """Make the viewer and draw it once unseen, so that the first scan finds everything dressed and laid out."""
        self.prepare()
        if self.currentWidget() is self.welcome:
            self._workspace.resize(self.size())
            self._workspace.grab()

    def toolbar_widgets(self) -> list[QWidget]:
        """What this page puts on the top bar once its viewer is there."""
        if self.grid is None or self.predict_panel is None:
            return []
        own: list[QWidget] = [
            menu_button("Layout", "layout-menu", self._layout_menu, tip="Which views are shown, and how large"),
            menu_button(
                "Window", "window-menu", self._window_menu, tip="Window and level: which values are black, which white"
            ),
        ]
        offered = getattr(self.predict_panel, "toolbar_widgets", list)
        return own + list(offered())

    # ---- opening and closing ------------------------------------------------------------------------------------

    def open_paths(self, paths: Sequence[Path], *, by_user: bool = True) -> None:
        """Read each in a job, the last one read is in front; of a folder with several scans one is asked for."""
        unread = [path for path in paths if not self._show_open(path.absolute(), "")]
        self._opener.open_paths(unread, by_user=by_user)

    def open_series(self, path: Path, series: str) -> None:
        """Read one series of a DICOM folder, or bring it to the front."""
        if not self._show_open(path.absolute(), series):
            self._opener.open(path, series)

    def _show_open(self, path: Path, series: str) -> bool:
        """Bring a scan to the front if it is open already; a folder is looked into again unless a series is named."""
        for place, scan in enumerate(self.open_scans):
            source = scan.opened.volume.source
            if source.path == path and (series == source.series or (not series and not path.is_dir())):
                self.bring_to_front(place)
                return True
        return False

    def offer(self, choices: list[ScanChoice]) -> None:
        """Let the user choose among several scans."""
        from gui.scans.picker import SeriesPicker

        if self._picker is None:
            self._picker = SeriesPicker(self._context)
            self._picker.picked.connect(self._open_picked)
            self._picker.cancelled.connect(self._leave_picker)
            self.addWidget(self._picker)
        self._picker.offer(choices)
        self.setCurrentWidget(self._picker)
        self._picker.table.setFocus(Qt.FocusReason.OtherFocusReason)
        self.scan_changed.emit(self.volume)

    @property
    def choosing(self) -> bool:
        """Whether the user is asked which scans to open."""
        return self._picker is not None and self.currentWidget() is self._picker

    def _open_picked(self, choices: list[ScanChoice]) -> None:
        self._leave_picker()
        for choice in choices:
            self.open_series(choice.path, choice.series)

    def _leave_picker(self) -> None:
        self.setCurrentWidget(self._workspace if self.open_scans or self._arriving else self.welcome)
        self.scan_changed.emit(self.volume)

    def _take(self, opened: OpenedScan, by_user: bool) -> None:
        if self.grid is None:  # making the viewer and showing a scan in it are two steps, for the window's sake
            self.prepare()
            QTimer.singleShot(0, self, lambda: self._take(opened, by_user))
            return
        source = opened.volume.source
        if not self._show_open(source.path, source.series):
            self.add_scan(opened, by_user=by_user)

    def _show_arriving(self, arriving: ArrivingScan, job: Job) -> None:
        """Show what is there of a scan until all of it is. It is no open scan yet: nothing else is offered for it."""
        if self.choosing:
            return
        self.prepare()
        if self.front_scan is not None:
            self._left = (self.front_scan, self.scene.point_ras_mm())
            self.front_scan.cursor = self.scene.index
        self.front, self._arriving = -1, job
        self._workspace.list.select(-1)
        self._workspace.checks.show_findings(())
        self.scene.show_arriving(arriving)
        self.setCurrentWidget(self._workspace)
        self._announce(None)

    def _stop_arriving(self) -> tuple[OpenScan, Any] | None:
        """Whatever comes now takes the place of the arriving scan. Returns what that had taken the place of."""
        self._arriving = None
        left, self._left = self._left, None
        return left

    def _arriving_gone(self, job: Job) -> None:
        """Its file is damaged, or it was cancelled: take the half picture away, and bring back what was there."""
        if job is not self._arriving:
            return
        left, asking = self._stop_arriving(), self._picker if self.choosing else None
        if self.open_scans:
            place = self.open_scans.index(left[0]) if left and left[0] in self.open_scans else len(self.open_scans) - 1
            self.bring_to_front(place)
        else:
            self._show_nothing()
        if asking is not None:
            self.setCurrentWidget(asking)

    def add_scan(self, opened: OpenedScan, *, by_user: bool = True, registered: Registered | None = None) -> None:
        """Put a scan that was read into the list, and in front."""
        from gui.scans.open_list import describe

        self.prepare()
        volume = opened.volume
        self.open_scans.append(OpenScan(opened, volume.findings, by_user=by_user, registered=registered))
        self._workspace.list.add(volume)
        self.bring_to_front(len(self.open_scans) - 1)
        if registered is None:  # its file goes away with it
            recent.remember(self._context.settings, volume.source.path, describe(volume), volume.source.series)
        self._check(self.open_scans[-1])

    def _check(self, scan: OpenScan) -> None:
        """The checks that need a look at every voxel come in their own time."""

        def check(_control: JobControl) -> list[Finding]:
            from core.imaging.info import plain_checks

            return plain_checks(scan.opened.volume)

        def done(findings: list[Finding]) -> None:
            scan.findings = tuple(findings)
            if self.front_scan is scan:
                self._workspace.checks.show_findings(scan.findings)

        self._context.jobs.run("Checking the scan", check, done=done, kind="background")

    @property
    def front_scan(self) -> OpenScan | None:
        return self.open_scans[self.front] if 0 <= self.front < len(self.open_scans) else None

    @property
    def volume(self) -> Volume | None:
        scan = self.front_scan
        return scan.opened.volume if scan else None

    @property
    def title(self) -> str:
        """How the scan that is looked at is called, be it one that is still arriving."""
        if self._arriving is not None and self.scene.arriving is not None:
            return title_of(self.scene.arriving.partial.source.path)
        return self.volume.title if self.volume else ""

    def bring_to_front(self, place: int) -> None:
        if place == self.front and self.currentWidget() is self._workspace:
            return
        from gui.viewer.space import same_space

        self.prepare()
        if self.front_scan is not None:
            self.front_scan.cursor = self.scene.index
            self._left = (self.front_scan, self.scene.point_ras_mm())
        left = self._stop_arriving()
        self.front = place
        scan = self.open_scans[place]
        self.setCurrentWidget(self._workspace)
        self._workspace.list.select(place)
        stays = self.scene.show(scan.opened)
        shared = left is not None and same_space(left[0].opened.volume, scan.opened.volume)
        if not stays and not (shared and left and self.scene.go_to(left[1])) and scan.cursor is not None:
            self.scene.set_index(scan.cursor)
        self._workspace.checks.show_findings(scan.findings)
        self._workspace.fill_window_menu(self._window_menu)
        if self.grid is not None:
            self.grid.slices[0].setFocus(Qt.FocusReason.OtherFocusReason)  # the keys move its slices at once
        self._announce(scan.opened.volume)

    def close_scan(self, place: int | None = None) -> None:
        """Close the scan at a place, or the one in front; one that is still arriving is not read on."""
        if place is None and self._arriving is not None:
            self._arriving.cancel()
            return
        place = self.front if place is None else place
        if not 0 <= place < len(self.open_scans):
            return
        closed = self.open_scans.pop(place)
        if closed.registered is not None:
            closed.registered.discard()
        self._workspace.list.remove(place)
        was_front, self.front = place == self.front, self.front - (place < self.front)
        if not was_front:
            return
        self.front = -1
        if self.open_scans:
            self.bring_to_front(min(place, len(self.open_scans) - 1))
            return
        self._show_nothing()

    def _show_nothing(self) -> None:
        self.scene.show(None)
        self._workspace.checks.show_findings(())
        self.welcome.refresh()
        self.setCurrentWidget(self.welcome)
        self._announce(None)

    def _announce(self, volume: Volume | None) -> None:
        self.scan_changed.emit(volume)
        # After the slices are on the screen: the panel may look things up.
        QTimer.singleShot(0, self, lambda: self._tell_panel(volume))

    def _tell_panel(self, volume: Volume | None) -> None:
        if self.predict_panel is not None and volume is self.volume:
            scan = self.front_scan
            by_user = scan is None or scan.by_user
            self.predict_panel.set_scan(volume, by_user=by_user, arriving=self._arriving is not None)

    # ---- following and ending -----------------------------------------------------------------------------------

    def _scene_changed(self, change: str) -> None:
        if change in ("cursor", "volume", "time", "overlay", "look"):
            self.cursor_changed.emit()

    def shut_down(self) -> None:
        """Free the 3D view, and take the registered scans away that were not saved."""
        if self.grid is not None:
            self._workspace.shut_down()
        for scan in self.open_scans:
            if scan.registered is not None:
                scan.registered.discard()
