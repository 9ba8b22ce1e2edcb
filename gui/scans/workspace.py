"""The viewer of the Scans page with what stands beside it: the open scans and their layers, and the prediction."""

from __future__ import annotations

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QMenu, QSplitter

from gui.context import AppContext
from gui.predict.panel import PredictPanel
from gui.predict.stored import Overlay as StoredOverlay
from gui.scans.checks import ChecksPanel
from gui.scans.layers import LayersPanel
from gui.scans.menus import fill_layout_menu, fill_window_menu
from gui.scans.open_list import OpenList
from gui.scans.side import side_panel
from gui.theme.structures import structure_colours
from gui.viewer.overlays import Overlay, UncertaintyMap
from gui.viewer.scene import Change, Scene
from gui.viewer.slice_grid import SliceGrid

SPLITTER_KEY = "scans/splitter"
RADIOLOGICAL_KEY = "viewer/radiological"
OPACITY_KEY = "viewer/overlay_opacity"


class Workspace(QSplitter):
    """Shows one scan at a time, and remembers how its user likes to see it."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("scans-splitter")
        self._context = context
        self.scene = Scene()
        self.scene.set_radiological(context.settings.value(RADIOLOGICAL_KEY, True, type=bool))
        self.grid = SliceGrid(context, self.scene)
        self.list, self.checks = OpenList(), ChecksPanel()
        self.predict_panel = PredictPanel(context)
        self.predict_panel.overlay_ready.connect(self._lay_over)
        self.setHandleWidth(1)
        self.addWidget(side_panel(self.list, LayersPanel(self.scene), self.checks))
        self.addWidget(self.grid)
        self.addWidget(self.predict_panel)
        for place, stretch in enumerate((0, 1, 0)):
            self.setStretchFactor(place, stretch)
            self.setCollapsible(place, place != 1)
        self.setSizes([252, 876, 328])
        state = context.settings.value(SPLITTER_KEY)
        if isinstance(state, QByteArray):
            self.restoreState(state)
        self.scene.listen(self._scene_changed)

    def fill_layout_menu(self, menu: QMenu) -> None:
        fill_layout_menu(menu, self.grid, self._context.settings)

    def fill_window_menu(self, menu: QMenu) -> None:
        fill_window_menu(menu, self.scene)

    def _lay_over(self, given: StoredOverlay | None) -> None:
        """Show what the panel gives, at the volume that it belongs to; None: the bare scan."""
        self.scene.set_uncertainty(None)
        if given is None:
            self.scene.set_overlay(None)
            return
        colours = {label: colour.getRgb()[:3] for label, colour in structure_colours(given.structures).items()}
        opacity = self._context.settings.value(OPACITY_KEY, 0.45, type=float)
        try:
            self.scene.set_overlay(Overlay(given.labels, given.structures, colours, opacity=opacity, time=given.time))
        except ValueError as error:
            self._context.tell(error)
            return
        if given.uncertainty is not None:
            self.scene.set_uncertainty(UncertaintyMap(given.uncertainty, calibrated=given.calibrated))
        if given.time is not None:
            self.scene.set_time(given.time)
        self.scene.go_to_overlay()

    def _scene_changed(self, change: Change) -> None:
        settings = self._context.settings
        if change in ("volume", "time"):
            self.predict_panel.set_time(self.scene.time)
        if change == "side":
            settings.setValue(RADIOLOGICAL_KEY, self.scene.radiological)
        if change == "look" and self.scene.overlay is not None:
            settings.setValue(OPACITY_KEY, self.scene.overlay.opacity)

    def shut_down(self) -> None:
        """Free the 3D view and remember the panels' sizes."""
        self._context.settings.setValue(SPLITTER_KEY, self.saveState())
        self.grid.close_views()
