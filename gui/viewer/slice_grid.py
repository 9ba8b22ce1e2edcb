"""Three slice views and the 3D view, linked, with the side marker above them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from gui.context import AppContext
from gui.theme import icons, theme
from gui.viewer.planes import PLANES, SIDES_UNKNOWN, side_words
from gui.viewer.scene import Change, Scene
from gui.viewer.slice_view import SliceView
from gui.viewer.volume_view import VolumeView
from gui.widgets import button, label, tool_button

ARRIVING_MS = 200  # between two pictures of a scan that is being decoded: they cost that some of its time
MARKER_ASIDE_PX = 96  # the two buttons beside the side marker, with their margins
LAYOUTS = {
    "four": "Four-up",
    "wide": "One large",
    "axial": "Axial",
    "coronal": "Coronal",
    "sagittal": "Sagittal",
    "3d": "3D",
}
_PLACES = {  # row, column, rows, columns of axial, coronal, sagittal, 3D
    "four": ((0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 1, 1)),
    "wide": ((0, 0, 3, 1), (0, 1, 1, 1), (1, 1, 1, 1), (2, 1, 1, 1)),
}


class SliceGrid(QWidget):
    """The viewer's centre. `scene` is its state."""

    layout_changed = Signal(str)

    def __init__(self, context: AppContext, scene: Scene, parent: QWidget | None = None, *, tools: bool = True) -> None:
        """`tools`: whether buttons are shown in the views; a picture for print does without."""
        super().__init__(parent)
        self.setObjectName("slice-grid")
        self.scene = scene
        self.layout_name = "four"
        self._before_maximise = "four"
        self.slices = [SliceView(scene, plane, self) for plane in PLANES]
        self.volume_view = VolumeView(context, scene, self, tools=tools)
        self.views: list[QWidget] = [*self.slices, self.volume_view]
        for name, view in zip(("axial", "coronal", "sagittal", "3d"), self.views, strict=True):
            view.maximise_requested.connect(lambda name=name: self.toggle_maximised(name))

        self.marker = label("", "sidemarker")
        self.marker.setObjectName("side-marker")
        self.marker.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.note = label("", "sidemarker", wrap=True)
        self.note.setObjectName("oblique-note")
        self.note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        flip = tool_button("flip", "flip-sides", "Swap left and right of the pictures", self.flip_sides, self)
        icons.bind(flip, "flip", "view_dim")
        self.measure = tool_button("ruler", "measure-tool", "Measure a length (M)", self.toggle_measuring, self)
        self.measure.setCheckable(True)
        icons.bind(self.measure, "ruler", "view_dim", "measure")
        bar = QFrame(self)
        bar.setProperty("role", "viewground")
        row = QHBoxLayout(bar)
        row.setContentsMargins(8, 0, 8, 0)
        row.addStretch(1)
        row.addWidget(self.marker)
        row.addWidget(flip)
        row.addWidget(self.measure)
        for one in (flip, self.measure):
            one.setVisible(tools)
        row.addStretch(1)

        self._make_time_row()
        self._panes = QFrame(self)
        self._panes.setProperty("role", "line_ground")
        self._grid = QGridLayout(self._panes)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self.note)
        column.addWidget(self._panes, 1)
        column.addWidget(self._time_row)
        self._more = QTimer(self)
        self._more.setInterval(ARRIVING_MS)
        self._more.timeout.connect(scene.more_arrived)
        self.set_layout("four")
        scene.listen(self._scene_changed)
        self._scene_changed("volume")

    def _make_time_row(self) -> None:
        """The slider through a scan's volumes, and whose volume a segmentation is that does not show."""
        self._time_row = row = QFrame(self)
        row.setProperty("role", "viewground")
        inside = QHBoxLayout(row)
        inside.setContentsMargins(12, 4, 12, 4)
        self._time = slider = QSlider(Qt.Orientation.Horizontal, row)
        slider.setObjectName("time-slider")
        slider.setAccessibleName("Time point")
        slider.valueChanged.connect(self.scene.set_time)
        self._time_text = label("", "sidemarker")
        self.elsewhere = label("", "sidemarker")
        self.elsewhere.setObjectName("overlay-elsewhere")
        self.to_overlay = button("Go there", "to-overlay-time", self._go_to_overlay_time, role="link")
        for widget, stretch in ((self._time_text, 0), (slider, 1), (self.elsewhere, 0), (self.to_overlay, 0)):
            inside.addWidget(widget, stretch)

    def _go_to_overlay_time(self) -> None:
        if self.scene.overlay is not None and self.scene.overlay.time is not None:
            self.scene.set_time(self.scene.overlay.time)
            self._time.setFocus(Qt.FocusReason.OtherFocusReason)  # the button goes away with what it led to

    # ---- layouts ------------------------------------------------------------------------------------------------

    def set_layout(self, name: str) -> None:
        """One of LAYOUTS: "four", "wide", or a single view by its name."""
        if name not in LAYOUTS:
            name = "four"
        self.layout_name = name
        places = _PLACES.get(name)
        for view in self.views:
            self._grid.removeWidget(view)
        for place, (view, view_name) in enumerate(zip(self.views, ("axial", "coronal", "sagittal", "3d"), strict=True)):
            if places is not None:
                self._grid.addWidget(view, *places[place])
            elif view_name == name:
                self._grid.addWidget(view, 0, 0, 3, 2)
            view.setVisible(places is not None or view_name == name)
        for line in range(3):
            self._grid.setRowStretch(line, 1 if name == "wide" or line < 2 else 0)
        self._grid.setColumnStretch(0, 2 if name == "wide" else 1)
        self._grid.setColumnStretch(1, 1 if places is not None else 0)
        self.layout_changed.emit(name)

    def toggle_maximised(self, name: str) -> None:
        if self.layout_name == name:
            self.set_layout(self._before_maximise)
        else:
            self._before_maximise = self.layout_name if self.layout_name in _PLACES else "four"
            self.set_layout(name)

    # ---- what a person asks for ---------------------------------------------------------------------------------

    def flip_sides(self) -> None:
        self.scene.set_radiological(not self.scene.radiological)

    def toggle_measuring(self) -> None:
        self.scene.set_tool("cursor" if self.scene.tool == "measure" else "measure")

    def reset_views(self) -> None:
        for view in self.slices:
            view.reset_view()
        self.volume_view.reset_view()

    def step_slice(self, by: int) -> None:
        """Move through the slices of the view that has the focus, else of the axial one."""
        view = next((view for view in self.slices if view.hasFocus()), None)
        visible = next((view for view in self.slices if view.isVisible()), self.slices[0])
        self.scene.step((view or visible).plane.normal, by)

    def picture(self, scale: float = 1.0) -> QImage:
        """The views as they are seen, with the side marker; `scale` pixels for each one of the window."""
        image = QImage(self.size() * scale, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(scale)
        image.fill(theme().color("view_ground"))
        self.render(image)
        return image

    def close_views(self) -> None:
        """Free what the 3D view holds; call it before the widget goes away."""
        self.volume_view.close_stage()

    # ---- following ----------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._say_sides()

    def _say_sides(self) -> None:
        """Put the side marker into words that fit beside the buttons: it is never cut."""
        known, radiological = self.scene.sides_known, self.scene.radiological
        for short in (False, True):
            self.marker.setText(side_words(radiological, short=short) if known else SIDES_UNKNOWN)
            needed = self.marker.sizeHint().width()
            if needed + MARKER_ASIDE_PX <= self.width():
                break
        self.marker.setMinimumWidth(needed)
        self.marker.setAccessibleName(side_words(radiological) if known else SIDES_UNKNOWN)

    def _scene_changed(self, change: Change) -> None:
        scene = self.scene
        if change == "tool":
            self.measure.setChecked(scene.tool == "measure")
        if change in ("volume", "side"):
            self._say_sides()
        if change == "volume":
            if scene.arriving is not None:
                self._more.start()
            else:
                self._more.stop()
            self.note.setText(_note(scene))
            self.note.setVisible(bool(self.note.text()))
            self._time_row.setVisible(scene.times > 1)
            with QSignalBlocker(self._time):  # a shorter range would move the scene's time
                self._time.setRange(0, max(scene.times - 1, 0))
        if change in ("volume", "time"):
            self._time.setValue(scene.time)
            self._time_text.setText(f"Time {scene.time + 1} / {scene.times}")
        if change in ("volume", "time", "overlay"):
            overlay = scene.overlay
            other = overlay is not None and not scene.overlay_in_time
            self.elsewhere.setText(f"{overlay.name}: of time {(overlay.time or 0) + 1}" if overlay and other else "")
            for widget in (self.elsewhere, self.to_overlay):
                widget.setVisible(other)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self.update()


def _note(scene: Scene) -> str:
    """What must be known of a scan that lies over another, or whose axes are not the patient's."""
    if scene.under is not None:
        return "A blend of two scans: B flickers between them"
    if not scene.oblique:
        return ""
    if scene.sheared:
        return f"Slices tilted by {scene.tilt_degrees:.0f}°: the other views look skewed"
    return f"Oblique scan, shown along its own axes ({scene.tilt_degrees:.0f}° off the patient's)"
