"""The 3D view: surfaces of the scan and its structures, drawn off screen and painted as a picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core.control import JobControl
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.theme.theme import theme
from gui.viewer import gl_probe
from gui.viewer.gl_probe import GlReport
from gui.viewer.planes import ENDS
from gui.viewer.scene import Change, Scene
from gui.viewer.slice_view import KEYBOARD

if TYPE_CHECKING:
    from gui.viewer.stage import Stage
    from gui.viewer.surfaces import Surfaces

NARROW_PX = 420
NOTHING = (-1, 0)
SIDES = {"A": "front", "P": "back", "L": "patient's left", "R": "patient's right", "S": "top", "I": "bottom"}


class VolumeView(QWidget):
    """Left drag: turn. Wheel: nearer, farther. The letters say where the patient's sides are."""

    maximise_requested = Signal()
    settled = Signal()  # the surfaces of the scene as it is now are on the screen, or it is known that none can be

    def __init__(self, context: AppContext, scene: Scene, parent: QWidget | None = None, *, tools: bool = True) -> None:
        super().__init__(parent)
        self.setObjectName("view-3d")
        self.setAccessibleName("3D view")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 100)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._context = context
        self._scene = scene
        self._stage: Stage | None = None
        self._gl: GlReport | None = gl_probe.remembered(context.settings)
        self._job: Job | None = None
        self._built = NOTHING  # the scene's revision and time whose surfaces are on the screen
        self._up = NOTHING  # those of what the stage holds
        self._skin_of: object = None  # the scan whose outside is up, and for which the camera was set
        self._surfaces: Surfaces | None = None
        self._picture: QImage | None = None
        self._closed = False
        self._ring = False
        self._press: QPointF | None = None
        self._start = QTimer(self)
        self._start.setSingleShot(True)
        self._start.setInterval(0)
        self._start.timeout.connect(self._begin)
        self._buttons_px = 0
        self._steps: deque[Callable[[], None]] = deque()
        self._idle = QTimer(self)
        self._idle.setInterval(0)
        self._idle.timeout.connect(self._next_step)
        if tools:
            self._place_buttons()
        scene.listen(self._scene_changed)
        theme().changed.connect(self.update)

    def _place_buttons(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addStretch(1)
        for side, words in SIDES.items():
            one = QToolButton(self)
            one.setText(side)
            one.setObjectName(f"look-from-{side.lower()}")
            one.setProperty("role", "view")
            one.setToolTip(f"Look from the {words}")
            one.setAccessibleName(f"Look from the {words}")
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            one.setCursor(Qt.CursorShape.PointingHandCursor)
            one.clicked.connect(lambda _=False, side=side: self.look_from(side))
            row.addWidget(one)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 6, 4)
        column.addLayout(row)
        column.addStretch(1)
        self._buttons_px = column.sizeHint().width()

    # ---- building -----------------------------------------------------------------------------------------------

    @property
    def up_to_date(self) -> bool:
        """Whether the surfaces on the screen are those of the scene (or there can be none)."""
        return self._built == self._wanted or self._scene.volume is None or self._cannot

    @property
    def _wanted(self) -> tuple[int, int]:
        """What the surfaces depend on: scan and overlay, and the volume that is shown of a scan of several."""
        return self._scene.revision, self._scene.time

    @property
    def _cannot(self) -> bool:
        return self._gl is not None and not self._gl.works

    def _scene_changed(self, change: Change) -> None:
        if change == "volume":
            self._cancel()
            self._picture = None
        if change in ("volume", "overlay"):
            self.update()  # building begins when the view is next painted, that is, seen
        elif change in ("look", "time") and self._stage is not None:
            self._apply_look()
            self._redraw()

    def _begin(self) -> None:
        """Ask what draws 3D here, then build the surfaces, each beside the window."""
        if self._closed or self.up_to_date or self._steps or (self._job is not None and self._job.running):
            return
        if self._gl is None:
            self._job = self._context.jobs.run(
                "Looking for a 3D driver", lambda _control: gl_probe.probe(), done=self._gl_known, kind="background"
            )
            return
        scene, wanted_now = self._scene, self._wanted
        frame, affine, labels, overlay = scene.frame(), scene.affine_ras, scene.labels_canonical, scene.overlay
        wanted = [int(structure["label"]) for structure in overlay.structures] if overlay else []
        up = self._surfaces if self._skin_of is scene.opened else None
        skin_of_now = up is not None and self._up[1] == scene.time
        overlay_of_now = up is not None and self._up[0] == scene.revision

        def build(control: JobControl) -> Surfaces:
            from core.imaging.geometry import corners_ras_mm
            from gui.viewer import stage  # noqa: F401  (its imports take a while: here they do not hold the window)
            from gui.viewer.surfaces import Surfaces, label_surfaces, scan_surface

            made = Surfaces(box_mm=corners_ras_mm(affine, frame.shape))
            made.skin = up.skin if up is not None and skin_of_now else scan_surface(frame, affine, control)
            if up is not None and overlay_of_now:
                made.structures = up.structures
            elif labels is not None:
                made.structures = label_surfaces(labels, wanted, affine, control)
            return made

        self._job = self._context.jobs.run(
            "Making surfaces",
            build,
            done=lambda made: self._take(made, wanted_now),
            failed=self._failed,
            kind="background",
        )

    def _gl_known(self, report: GlReport) -> None:
        self._gl = report
        gl_probe.remember(self._context.settings, report)
        self.update()
        if not report.works:
            self.settled.emit()

    def _failed(self, error: Exception) -> None:
        self._gl = GlReport(False, problem=f"surfaces could not be made ({error})")
        self.update()
        self.settled.emit()

    def _take(self, made: Surfaces, of: tuple[int, int]) -> None:
        """`of`: what was wanted when they were begun; so below."""
        if self._closed:
            return
        if of != self._wanted:
            self.update()  # the scene moved on meanwhile: build again
            return
        # Drivers, shaders and the picture take their time: one at each quiet moment, so that the window keeps pace.
        steps = [self._make_stage, self._warm_stage] if self._stage is None else []
        self._steps = deque([*steps, partial(self._put_up, made, of), self._warm_stage, partial(self._settle, of)])
        self._idle.start()

    def _next_step(self) -> None:
        if self._steps:
            self._steps.popleft()()
        if not self._steps:
            self._idle.stop()

    def _make_stage(self) -> None:
        from gui.viewer.stage import Stage

        software = self._gl is not None and self._gl.software
        self._stage = Stage(software=software, ground=theme().color("view_ground"))

    def _warm_stage(self) -> None:
        """Draw very small: the driver loads, and its shaders are made, for what is up by now."""
        if self._stage is not None:
            self._stage.picture(8, 8)

    def _put_up(self, made: Surfaces, of: tuple[int, int]) -> None:
        if self._stage is None or of != self._wanted:
            return
        self._built, self._up = NOTHING, of
        overlay = self._scene.overlay
        colours = overlay.colours if overlay else {}
        self._stage.show(made, colours, theme().color("skin"), theme().color("view_dim"))
        self._apply_look()
        if self._skin_of is not self._scene.opened:
            self._stage.look_from()
        self._surfaces = made

    def _settle(self, of: tuple[int, int]) -> None:
        if of != self._wanted:
            self.update()
            return
        self._skin_of = self._scene.opened
        self._built = of
        self._redraw()
        self.settled.emit()

    def _apply_look(self) -> None:
        overlay = self._scene.overlay
        if self._stage is not None:
            hidden = frozenset(overlay.hidden) if overlay else frozenset()
            shown = overlay.shown and self._scene.overlay_in_time if overlay else True
            # Where two scans are compared the opacity is that of the blend; there is but one surface.
            opacity = self._scene.scan_opacity if self._scene.under is None else 1.0
            self._stage.set_shown(hidden, shown=shown, opacity=opacity)

    def _cancel(self) -> None:
        if self._job is not None and self._job.kind == "background":
            self._job.cancel()
        self._job = None
        self._steps.clear()

    def close_stage(self) -> None:
        """End what runs and free the GL window; the view stays black from here on."""
        self._closed = True
        self._start.stop()
        self._idle.stop()
        self._steps.clear()
        self._cancel()
        self._picture = None
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    # ---- the camera ---------------------------------------------------------------------------------------------

    def look_from(self, side: str | None = None) -> None:
        if self._stage is not None:
            self._stage.look_from(side)
            self._redraw()

    def reset_view(self) -> None:
        self.look_from(None)

    def _redraw(self) -> None:
        self._picture = None
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._press = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is None or self._stage is None:
            return
        way = event.position() - self._press
        self._press = event.position()
        self._stage.orbit(way.x() * 0.5, way.y() * 0.5)
        self._redraw()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._press = None

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._stage is not None:
            self._stage.zoom(1.0012 ** event.angleDelta().y())
            self._redraw()
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        # The ring is for those who walk by keyboard: a click shows where it went.
        self._ring = event.reason() in KEYBOARD
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        turns = {
            Qt.Key.Key_Left: (-10, 0), Qt.Key.Key_Right: (10, 0), Qt.Key.Key_Up: (0, 10), Qt.Key.Key_Down: (0, -10)
        }  # fmt: skip
        pressed = Qt.Key(event.key())
        if self._stage is None or pressed not in (*turns, Qt.Key.Key_Home):
            super().keyPressEvent(event)
        elif pressed == Qt.Key.Key_Home:
            self.reset_view()
        else:
            self._stage.orbit(*turns[pressed])
            self._redraw()

    # ---- drawing ------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("view_ground"))
        if self._scene.volume is not None and not self._closed:
            if not self.up_to_date:
                self._start.start()
            if self._stage is not None and self._skin_of is self._scene.opened:
                self._draw_stage(painter, painter.device().devicePixelRatioF())
            else:
                self._draw_waiting(painter)
        elif self._scene.arriving is not None:
            painter.setPen(theme().color("view_dim"))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), "Made once the scan is loaded")
        self._draw_words(painter)
        if self._ring and self.hasFocus():
            painter.setPen(QPen(theme().color("crosshair"), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _draw_stage(self, painter: QPainter, ratio: float) -> None:
        if self._stage is None:
            return
        # Software drawing costs by the pixel: on the screen it does without the finest ones.
        if self._gl is not None and self._gl.software and ratio == self.devicePixelRatioF():
            ratio = 1.0
        width, height = max(round(self.width() * ratio), 8), max(round(self.height() * ratio), 8)
        if self._picture is None or self._picture.width() != width or self._picture.height() != height:
            self._picture = self._stage.picture(width, height)
        painter.drawImage(QRectF(self.rect()), self._picture)
        if not self._scene.sides_known:
            return
        right, up = self._stage.axes()
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(theme().color("letters"))
        # In a narrow view the buttons reach the middle: the letter then stands below them.
        top = 6 if self.width() > NARROW_PX or self.layout() is None else 26
        area = QRectF(self.rect()).adjusted(10, top, -10, -6)
        align = Qt.AlignmentFlag
        for direction, where in (
            (-right, align.AlignLeft | align.AlignVCenter),
            (right, align.AlignRight | align.AlignVCenter),
            (up, align.AlignHCenter | align.AlignTop),
            (-up, align.AlignHCenter | align.AlignBottom),
        ):
            painter.drawText(area, int(where), nearest_letter(direction))

    def _draw_waiting(self, painter: QPainter) -> None:
        words = "Making the 3D view…"
        if self._gl is not None and not self._gl.works:
            words = f"No 3D here: {self._gl.problem}.\nThe slices work without it."
        painter.setPen(theme().color("view_dim"))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), words)

    def _draw_words(self, painter: QPainter) -> None:
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        align, words = Qt.AlignmentFlag.AlignTop, self.words
        if self._buttons_px + painter.fontMetrics().horizontalAdvance(words) + 20 > self.width():
            if self._scene.times == 1:
                return  # the buttons lie where the word would
            align = Qt.AlignmentFlag.AlignBottom
        painter.setPen(theme().color("view_text"))
        painter.drawText(QRectF(self.rect()).adjusted(10, 6, -10, -6), int(Qt.AlignmentFlag.AlignLeft | align), words)

    @property
    def words(self) -> str:
        """What the view says it shows: of a scan of several volumes, which one the surface is of."""
        if self._scene.times == 1 or self._stage is None or self._skin_of is not self._scene.opened:
            return "3D"
        return f"3D, time {self._up[1] + 1}"


def nearest_letter(direction: np.ndarray) -> str:
    """The letter of the patient's side that a RAS direction points to most."""
    axis = int(np.argmax(np.abs(direction)))
    return ENDS[axis][1 if direction[axis] > 0 else 0]
