"""The Scans page: what is open on the left, the views in the middle, the prediction on the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QFrame, QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from core.control import JobControl
from gui.context import AppContext
from gui.scans import recent
from gui.scans.welcome import WelcomePage
from gui.widgets import menu_button, scrolled, section

if TYPE_CHECKING:
    from core.imaging.volume import Finding, Volume
    from gui.predict.panel import PredictPanel
    from gui.scans.checks import ChecksPanel
    from gui.scans.layers import LayersPanel
    from gui.scans.open_list import OpenList
    from gui.viewer.scene import OpenedScan, Scene
    from gui.viewer.slice_grid import SliceGrid

SPLITTER_KEY = "scans/splitter"


@dataclass
class OpenScan:
    opened: OpenedScan
    findings: tuple[Finding, ...]
    cursor: tuple[int, int, int] | None = None  # where it was left


class ScansPage(QStackedWidget):
    """Starts as the welcome page; the viewer is made when first needed, or when the window has a quiet moment."""

    scan_changed = Signal(object)  # Volume or None
    cursor_changed = Signal()
    viewer_made = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scans_page")
        self._context = context
        self.welcome = WelcomePage(context, self)
        self.addWidget(self.welcome)
        self.open_scans: list[OpenScan] = []
        self.front = -1
        self.scene: Scene
        self.grid: SliceGrid | None = None
        self.predict_panel: PredictPanel | None = None
        self._list: OpenList
        self._layers: LayersPanel
        self._checks: ChecksPanel
        self._splitter: QSplitter
        self._opening: set[Path] = set()
        self._layout_menu = QMenu(self)
        self._window_menu = QMenu(self)

    # ---- making the viewer --------------------------------------------------------------------------------------

    def prepare(self) -> SliceGrid:
        """Make the viewer if there is none yet."""
        if self.grid is not None:
            return self.grid
        from gui.predict.panel import PredictPanel
        from gui.scans.checks import ChecksPanel
        from gui.scans.layers import LayersPanel
        from gui.scans.open_list import OpenList
        from gui.viewer.scene import Scene
        from gui.viewer.slice_grid import SliceGrid

        self.scene = Scene()
        self.scene.set_radiological(self._context.settings.value("viewer/radiological", True, type=bool))
        self.grid = SliceGrid(self._context, self.scene)
        self._list, self._layers, self._checks = OpenList(), LayersPanel(self.scene), ChecksPanel()
        self._list.chosen.connect(self.bring_to_front)
        self._list.close_requested.connect(self.close_scan)
        self.predict_panel = PredictPanel(self._context)
        self.predict_panel.overlay_ready.connect(self._lay_over)
        self._splitter = QSplitter()
        self._splitter.setObjectName("scans_splitter")
        self._splitter.setHandleWidth(1)
        self._splitter.addWidget(self._left_side())
        self._splitter.addWidget(self.grid)
        self._splitter.addWidget(self.predict_panel)
        for place, stretch in enumerate((0, 1, 0)):
            self._splitter.setStretchFactor(place, stretch)
            self._splitter.setCollapsible(place, place != 1)
        self._splitter.setSizes([252, 900, 304])
        state = self._context.settings.value(SPLITTER_KEY)
        if isinstance(state, QByteArray):
            self._splitter.restoreState(state)
        self.addWidget(self._splitter)
        self._fill_layout_menu()
        self.scene.listen(self._scene_changed)
        self.viewer_made.emit()
        return self.grid

    def warm_up(self) -> None:
        """Make the viewer and draw it once unseen, so that the first scan finds everything dressed and laid out."""
        self.prepare()
        if self.currentWidget() is self.welcome:
            self._splitter.resize(self.size())
            self._splitter.grab()

    def _left_side(self) -> QFrame:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        column.addWidget(section("Open scans"))
        column.addWidget(self._list)
        column.addSpacing(12)
        column.addWidget(self._layers)
        column.addSpacing(12)
        column.addWidget(self._checks)
        column.addStretch(1)
        frame = QFrame()
        frame.setProperty("role", "panel")
        frame.setMinimumWidth(200)
        outer = QVBoxLayout(frame)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inside))
        return frame

    def toolbar_widgets(self) -> list[QWidget]:
        """What this page puts on the top bar once its viewer is there."""
        if self.grid is None or self.predict_panel is None:
            return []
        own: list[QWidget] = [
            menu_button("Layout", "layout_menu", self._layout_menu, tip="Which views are shown, and how large"),
            menu_button(
                "Window", "window_menu", self._window_menu, tip="Window and level: which values are black, which white"
            ),
        ]
        offered = getattr(self.predict_panel, "toolbar_widgets", list)
        return own + list(offered())

    # ---- opening and closing ------------------------------------------------------------------------------------

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Read each in a job; the last one read is in front."""
        for path in paths:
            absolute = path.absolute()
            place = next((n for n, s in enumerate(self.open_scans) if s.opened.volume.source.path == absolute), None)
            if place is not None:
                self.bring_to_front(place)
            elif absolute not in self._opening:
                self._opening.add(absolute)
                self._read(absolute)

    def _read(self, path: Path) -> None:
        def read(control: JobControl) -> OpenedScan:
            from core.imaging import reader
            from gui.viewer.scene import OpenedScan

            control.progress(None, f"Reading {path.name}")
            volume = reader.read(path, control)
            control.check()
            return OpenedScan.prepare(volume)

        def failed(error: Exception) -> None:
            self._opening.discard(path)
            self._context.tell(error)

        def done(opened: OpenedScan) -> None:
            self._opening.discard(path)
            self.add_scan(opened)

        job = self._context.jobs.run(f"Opening {path.name}", read, done=done, failed=failed)
        job.ended.connect(lambda: self._opening.discard(path))

    def add_scan(self, opened: OpenedScan) -> None:
        """Put a scan that was read into the list, and in front."""
        from gui.scans.open_list import describe

        self.prepare()
        volume = opened.volume
        self.open_scans.append(OpenScan(opened, volume.findings))
        self._list.add(volume)
        self.bring_to_front(len(self.open_scans) - 1)
        recent.remember(self._context.settings, volume.source.path, describe(volume))
        self._check(self.open_scans[-1])

    def _check(self, scan: OpenScan) -> None:
        """The checks that need a look at every voxel come in their own time."""

        def check(_control: JobControl) -> list[Finding]:
            from core.imaging.info import plain_checks

            return plain_checks(scan.opened.volume)

        def done(findings: list[Finding]) -> None:
            scan.findings = tuple(findings)
            if self.front_scan is scan:
                self._checks.show_findings(scan.findings)

        self._context.jobs.run("Checking the scan", check, done=done, kind="background")

    @property
    def front_scan(self) -> OpenScan | None:
        return self.open_scans[self.front] if 0 <= self.front < len(self.open_scans) else None

    @property
    def volume(self) -> Volume | None:
        scan = self.front_scan
        return scan.opened.volume if scan else None

    def bring_to_front(self, place: int) -> None:
        if place == self.front and self.currentWidget() is not self.welcome:
            return
        self.prepare()
        if self.front_scan is not None:
            self.front_scan.cursor = self.scene.index
        self.front = place
        scan = self.open_scans[place]
        self.setCurrentWidget(self._splitter)
        self._list.select(place)
        self.scene.show(scan.opened)
        if scan.cursor is not None:
            self.scene.set_index(scan.cursor)
        self._checks.show_findings(scan.findings)
        self._fill_window_menu(scan.opened.volume)
        if self.grid is not None:
            self.grid.slices[0].setFocus(Qt.FocusReason.OtherFocusReason)  # the keys move its slices at once
        self._announce(scan.opened.volume)

    def close_scan(self, place: int | None = None) -> None:
        """Close the scan at a place, or the one in front."""
        place = self.front if place is None else place
        if not 0 <= place < len(self.open_scans):
            return
        self.open_scans.pop(place)
        self._list.remove(place)
        was_front, self.front = place == self.front, self.front - (place < self.front)
        if not was_front:
            return
        self.front = -1
        if self.open_scans:
            self.bring_to_front(min(place, len(self.open_scans) - 1))
            return
        self.scene.show(None)
        self._checks.show_findings(())
        self.welcome.refresh()
        self.setCurrentWidget(self.welcome)
        self._announce(None)

    def _announce(self, volume: Volume | None) -> None:
        self.scan_changed.emit(volume)
        # After the slices are on the screen: the panel may look things up.
        QTimer.singleShot(0, self, lambda: self._tell_panel(volume))

    def _tell_panel(self, volume: Volume | None) -> None:
        if self.predict_panel is not None and volume is self.volume:
            self.predict_panel.set_scan(volume)

    # ---- the overlay --------------------------------------------------------------------------------------------

    def _lay_over(self, given: Any) -> None:
        """Take (labels, structures) from the panel, or None for the bare scan."""
        from gui.theme.structures import structure_colours
        from gui.viewer.scene import Overlay

        if given is None:
            self.scene.set_overlay(None)
            return
        labels, structures = given
        colours = {label: colour.getRgb()[:3] for label, colour in structure_colours(structures).items()}
        opacity = self._context.settings.value("viewer/overlay_opacity", 0.45, type=float)
        try:
            self.scene.set_overlay(Overlay(labels, structures, colours, opacity=opacity))
        except ValueError as error:
            self._context.tell(error)
        else:
            self.scene.go_to_overlay()

    def toggle_overlay(self) -> None:
        if self.grid is not None and self.scene.overlay is not None:
            self.scene.set_overlay_look(shown=not self.scene.overlay.shown)

    # ---- menus --------------------------------------------------------------------------------------------------

    def _fill_layout_menu(self) -> None:
        from gui.viewer.slice_grid import LAYOUTS

        group = QActionGroup(self._layout_menu)
        grid = self.grid
        if grid is None:
            return
        for name, words in LAYOUTS.items():
            action = QAction(words, self._layout_menu, checkable=True)
            action.setObjectName(f"layout_{name}")
            action.triggered.connect(lambda _=False, name=name: grid.set_layout(name))
            group.addAction(action)
            self._layout_menu.addAction(action)
        saved = str(self._context.settings.value("viewer/layout", "four"))
        grid.layout_changed.connect(self._mark_layout)
        grid.set_layout(saved)

    def _mark_layout(self, name: str) -> None:
        for action in self._layout_menu.actions():
            action.setChecked(action.objectName() == f"layout_{name}")
        if name in ("four", "wide"):
            self._context.settings.setValue("viewer/layout", name)

    def _fill_window_menu(self, volume: Volume) -> None:
        from gui.viewer.window_level import CT_PRESETS

        self._window_menu.clear()
        self._window_menu.addAction("Auto", self.scene.auto_window).setObjectName("window_auto")
        self._window_menu.addAction("Full range", self.scene.full_window).setObjectName("window_full")
        if volume.source.modality in ("CT", ""):
            self._window_menu.addSeparator()
            for name, preset in CT_PRESETS.items():
                text = f"CT {name.lower()}   {preset.text()}"
                self._window_menu.addAction(text, lambda preset=preset: self.scene.set_window(preset))

    # ---- following and ending -----------------------------------------------------------------------------------

    def _scene_changed(self, change: str) -> None:
        settings = self._context.settings
        if change in ("cursor", "volume", "time", "overlay", "look"):
            self.cursor_changed.emit()
        if change == "side":
            settings.setValue("viewer/radiological", self.scene.radiological)
        if change == "look" and self.scene.overlay is not None:
            settings.setValue("viewer/overlay_opacity", self.scene.overlay.opacity)

    def shut_down(self) -> None:
        """Free the 3D view and remember the panels' sizes."""
        if self.grid is not None:
            self._context.settings.setValue(SPLITTER_KEY, self._splitter.saveState())
            self.grid.close_views()


def dropped_paths(urls: Iterable[Any]) -> list[Path]:
    """The local files and folders among what was dropped."""
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
