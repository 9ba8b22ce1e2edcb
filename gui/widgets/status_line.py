"""The line at the foot of the window: where the cursor is, what runs, what computes here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from gui.widgets.labels import label
from gui.widgets.swatch import Swatch

if TYPE_CHECKING:
    from gui.viewer.scene import Scene

EVERY_MS = 3000
MINUS = "−"


class StatusLine(QFrame):
    """`jobs` is the widget that shows the jobs."""

    def __init__(self, jobs: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status-line")
        self.setProperty("role", "status")
        self.setFixedHeight(28)
        self._index = label("", "small")
        self._point = label("", "small")
        self._value = label("", "small")
        self._structure = label("", "small")
        self._structure.setObjectName("structure-at-cursor")
        self._swatch = Swatch(QColor(Qt.GlobalColor.transparent))
        self._device = label(f"CPU, {os.cpu_count() or 1} cores", "small")
        self._device.setObjectName("device")
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self._show_memory)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(16)
        for widget in (self._index, self._point, self._value):
            row.addWidget(widget)
        where = QHBoxLayout()
        where.setSpacing(6)
        where.addWidget(self._swatch)
        where.addWidget(self._structure)
        row.addLayout(where)
        row.addStretch(1)
        row.addWidget(jobs, 2)
        row.addWidget(self._device)

    def watch_memory(self) -> None:
        """Begin to show what the program holds; call it once the window is up."""
        self._timer.start()
        self._show_memory()

    def _show_memory(self) -> None:
        import psutil

        held = psutil.Process().memory_info().rss / 1e9
        self._device.setText(f"CPU, {os.cpu_count() or 1} cores · {held:.1f} GB")

    def show_cursor(self, scene: Scene | None) -> None:
        """Tell where the cursor of a scene is; None: nothing is open."""
        if scene is None or scene.volume is None:
            for widget in (self._index, self._point, self._value, self._structure):
                widget.setText("")
            self._swatch.hide()
            return
        i, j, k = scene.index_ijk()
        self._index.setText(f"i {i}  j {j}  k {k}")
        numbers = "  ".join(f"{n:.1f}".replace("-", MINUS) for n in scene.point_ras_mm())
        self._point.setText(f"RAS {numbers} mm")
        self._value.setText(f"value {scene.value():.5g}".replace("-", MINUS))
        structure = scene.structure()
        self._structure.setText(scene.overlay.name_of(structure) if scene.overlay and structure else "")
        self._swatch.setVisible(bool(structure))
        if scene.overlay is not None and structure:
            self._swatch.set_colour(QColor(*scene.overlay.colour_of(structure)))
