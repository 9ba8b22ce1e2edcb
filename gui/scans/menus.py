"""The two menus of the Scans page on the bar on top: which views are shown, and which values."""

from __future__ import annotations

from PySide6.QtCore import QSettings
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from gui.viewer.scene import Scene
from gui.viewer.slice_grid import LAYOUTS, SliceGrid
from gui.viewer.window_level import CT_PRESETS

LAYOUT_KEY = "viewer/layout"


def fill_layout_menu(menu: QMenu, grid: SliceGrid, settings: QSettings) -> None:
    """One checkable action a layout; the choice among those of several views is remembered."""
    group = QActionGroup(menu)
    actions = {}
    for name, words in LAYOUTS.items():
        action = actions[name] = menu.addAction(words)
        action.setCheckable(True)
        action.setObjectName(f"layout-{name}")
        action.triggered.connect(lambda _=False, name=name: grid.set_layout(name))
        group.addAction(action)

    def mark(name: str) -> None:
        actions[name].setChecked(True)
        if name in ("four", "wide"):
            settings.setValue(LAYOUT_KEY, name)

    grid.layout_changed.connect(mark)
    grid.set_layout(str(settings.value(LAYOUT_KEY, "four")))


def fill_window_menu(menu: QMenu, scene: Scene) -> None:
    """The windows that make sense for the scan in front: the field's presets are for CT only."""
    menu.clear()
    menu.addAction("Auto\tA", scene.auto_window).setObjectName("window-auto")
    menu.addAction("Full range", scene.full_window).setObjectName("window-full")
    if scene.opened is not None and scene.opened.is_ct:
        menu.addSeparator()
        for name, preset in CT_PRESETS.items():
            words = f"CT {name.lower()}\t{preset.text()}"
            action = menu.addAction(words, lambda preset=preset: scene.set_window(preset))
            action.setObjectName(f"window-{name.lower().replace(' ', '-')}")
