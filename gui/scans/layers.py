"""What lies in the views, from the scan to each structure: shown or not, and how strongly."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from gui.scans.uncertainty_row import UncertaintyRow
from gui.theme.theme import theme
from gui.viewer.scene import Change, Scene
from gui.widgets import ElidedLabel, Swatch, button, label, section


class LayersPanel(QWidget):
    """Rows made anew when the scan or the segmentation changes."""

    def __init__(self, scene: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("layers")
        self._scene = scene
        self._rows = QWidget()
        self._inside = QVBoxLayout(self._rows)
        self._inside.setContentsMargins(0, 0, 0, 0)
        self._inside.setSpacing(6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(section("Layers"))
        column.addWidget(self._rows)
        self._overlay_check: QCheckBox | None = None
        self._uncertainty_check: QCheckBox | None = None
        self._scan_slider: QSlider | None = None
        scene.listen(self._scene_changed)

    def _scene_changed(self, change: Change) -> None:
        if change in ("volume", "overlay"):
            self._fill()
        elif change == "look":
            if self._overlay_check is not None and self._scene.overlay is not None:
                self._overlay_check.setChecked(self._scene.overlay.shown)
            if self._uncertainty_check is not None and self._scene.uncertainty is not None:
                self._uncertainty_check.setChecked(self._scene.uncertainty.shown)
            if self._scan_slider is not None and self._scan_slider.value() != round(100 * self._scene.scan_opacity):
                self._scan_slider.setValue(round(100 * self._scene.scan_opacity))

    def _fill(self) -> None:
        while self._inside.count():
            item = self._inside.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._overlay_check = self._scan_slider = self._uncertainty_check = None
        scene = self._scene
        if scene.volume is None:
            return
        name = ElidedLabel(scene.volume.title)
        swatch = Swatch(theme().color("scan_swatch"))
        self._scan_slider = self._add_layer("scan", swatch, name, scene.scan_opacity, scene.set_scan_opacity)
        if scene.under is not None:
            self._add_under(scene.under.volume.title)
        if scene.overlay is None:
            return
        overlay = scene.overlay
        check = QCheckBox(overlay.name)
        check.setObjectName("layer-segmentation")
        check.setAccessibleName("Show the segmentation")
        check.setChecked(overlay.shown)
        check.toggled.connect(lambda shown: scene.set_overlay_look(shown=shown))
        self._overlay_check = check
        self._add_layer(
            "segmentation", None, check, overlay.opacity, lambda opacity: scene.set_overlay_look(opacity=opacity)
        )
        for structure in overlay.structures:
            self._add_structure(int(structure["label"]), str(structure["name"]))
        if scene.uncertainty is not None:
            row = UncertaintyRow(scene)
            self._uncertainty_check = row.check
            self._inside.addWidget(row)

    def _add_layer(self, name: str, swatch: Swatch | None, title: QWidget, opacity: float, change: object) -> QSlider:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.setSpacing(8)
        if swatch is not None:
            head.addWidget(swatch)
        head.addWidget(title, 1)
        percent = _percent(opacity)
        head.addWidget(percent)
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setObjectName(f"opacity-{name}")
        slider.setAccessibleName(f"Opacity of the {name}")
        slider.setRange(0, 100)
        slider.setValue(round(100 * opacity))
        slider.valueChanged.connect(lambda value: percent.setText(f"{value} %"))
        slider.valueChanged.connect(lambda value: change(value / 100))  # type: ignore[operator]
        column.addLayout(head)
        column.addWidget(slider)
        self._inside.addWidget(box)
        return slider

    def _add_under(self, title: str) -> None:
        """The scan beneath, and how to look at the two in turn."""
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(ElidedLabel(f"over {title}", "dim"))
        flicker = button("Flicker", "flicker", self._scene.flicker, tip="Show the one scan, then the other (key B)")
        column.addWidget(flicker, 0, Qt.AlignmentFlag.AlignLeft)
        self._inside.addWidget(box)

    def _add_structure(self, value: int, name: str) -> None:
        overlay = self._scene.overlay
        if overlay is None:
            return
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(4, 0, 0, 0)
        row.setSpacing(8)
        check = QCheckBox()
        check.setObjectName(f"structure-{value}")
        check.setAccessibleName(f"Show {name}")
        check.setChecked(value not in overlay.hidden)
        check.toggled.connect(lambda shown: self._scene.set_structure_shown(value, shown))
        row.addWidget(check)
        row.addWidget(Swatch(QColor(*overlay.colour_of(value))))
        row.addWidget(ElidedLabel(name), 1)
        self._inside.addWidget(box)


def _percent(opacity: float) -> QLabel:
    made = label(f"{round(100 * opacity)} %", "dim")
    made.setAlignment(Qt.AlignmentFlag.AlignRight)
    made.setMinimumWidth(44)
    return made
