"""One slice view: the picture in its true proportions, the cursor, the letters, and the mouse.

Painted with QPainter: one slice a view needs no scene graph, and nothing has to be imported for it.
"""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.theme.theme import theme
from gui.viewer.measuring import MeasuringTool
from gui.viewer.pictures import SlicePictures
from gui.viewer.planes import Plane
from gui.viewer.scale_bar import draw_scale_bar
from gui.viewer.scene import Change, Scene
from gui.viewer.window_level import WindowLevel

MARGIN = 26  # room for the letters and the line of text at each edge
KEYBOARD = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)
ZOOMS = (0.2, 40.0)
WHEEL_STEP = 120
TRUTH_PX = 2.0
HATCH_ALPHA = 130


class SliceView(QWidget):
    """Wheel: next slice. Left drag: cursor, or a length. Right drag: window and level. Ctrl+wheel: zoom."""

    maximise_requested = Signal()

    def __init__(self, scene: Scene, plane: Plane, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plane = plane
        self.setObjectName(f"view-{plane.name.lower()}")
        self.setAccessibleName(f"{plane.name} view")
        self.setAccessibleDescription(
            "Arrow and page keys change the slice; plus and minus zoom; Home fits; M measures; A chooses the window."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 100)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._scene = scene
        self._pictures = SlicePictures(scene, plane)
        self._zoom = 1.0
        self._moved = QPointF(0, 0)  # of the picture's centre, in screen pixels
        self._ring = False
        self._press: tuple[Qt.MouseButton, QPointF, QPointF, WindowLevel] | None = None
        self._wheel = 0
        self._words: QRectF = QRectF()  # where window and level are written
        self.measuring = MeasuringTool(self, scene)
        scene.listen(self._scene_changed)

    # ---- geometry -----------------------------------------------------------------------------------------------

    def _size(self) -> tuple[int, int]:
        """Columns and rows of the picture."""
        return self._scene.shape[self.plane.across], self._scene.shape[self.plane.up]

    def picture_to_screen(self) -> QTransform:
        """From picture coordinates (voxel corners at whole numbers, row 0 on top) to this widget's pixels."""
        columns, rows = self._size()
        spacing = self._scene.spacing_mm
        wide, high = spacing[self.plane.across], spacing[self.plane.up]
        left, right, top, bottom = 0.0, float(columns), 0.0, float(rows)
        if self._scene.opened is not None:
            (a0, a1), (u0, u1) = (self._scene.opened.content[axis] for axis in (self.plane.across, self.plane.up))
            left, right = (columns - 1 - a1, columns - a0) if self._mirrored else (a0, a1 + 1)
            top, bottom = rows - 1 - u1, rows - u0
        room_x, room_y = max(self.width() - 2 * MARGIN, 10), max(self.height() - 2 * MARGIN, 10)
        scale = min(room_x / ((right - left) * wide), room_y / ((bottom - top) * high)) * self._zoom
        transform = QTransform()
        transform.translate(self.width() / 2 + self._moved.x(), self.height() / 2 + self._moved.y())
        transform.scale(scale * wide, scale * high)
        transform.translate(-(left + right) / 2, -(top + bottom) / 2)
        return transform

    @property
    def _mirrored(self) -> bool:
        return self.plane.mirrored(self._scene.radiological)

    def screen_to_index(self, point: QPointF) -> list[float]:
        """The canonical index under a pixel, on the slice shown."""
        inverse, _ = self.picture_to_screen().inverted()
        picture = inverse.map(point)
        index = [float(n) for n in self._scene.index]
        across, up = self.plane.from_picture(
            picture.x() - 0.5, picture.y() - 0.5, self._scene.shape, self._scene.radiological
        )
        index[self.plane.across], index[self.plane.up] = across, up
        return index

    def index_to_screen(self, index: tuple[float, float, float]) -> QPointF:
        column, row = self.plane.to_picture(np.asarray(index, float), self._scene.shape, self._scene.radiological)
        return self.picture_to_screen().map(QPointF(column + 0.5, row + 0.5))

    def reset_view(self) -> None:
        """Fit the picture to the pane again."""
        self._zoom, self._moved = 1.0, QPointF(0, 0)
        self.update()

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom, keeping the point `at` (the cursor's by default) where it is."""
        at = at or self.index_to_screen(self._scene.index)
        fixed = self.picture_to_screen().inverted()[0].map(at)
        self._zoom = min(max(self._zoom * factor, ZOOMS[0]), ZOOMS[1])
        self._moved += at - self.picture_to_screen().map(fixed)
        self.update()

    # ---- drawing ------------------------------------------------------------------------------------------------

    def _scene_changed(self, change: Change) -> None:
        if change in ("volume", "tool"):
            self.measuring.cancel()
            self.setCursor(Qt.CursorShape.CrossCursor)
        if change == "volume":
            self.reset_view()
        elif change != "look" or self.isVisible():
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("view_ground"))
        if self._scene.showing:
            if self._scene.arriving is None:
                self._draw_picture(painter)
            else:
                self._draw_arriving(painter)
            self._draw_cursor(painter)
            self._draw_words(painter)
            self.measuring.draw(painter)
        if self._ring and self.hasFocus():
            painter.setPen(QPen(theme().color("crosshair"), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _draw_picture(self, painter: QPainter) -> None:
        grey = self._pictures.grey()
        if grey is None:
            return
        transform = self.picture_to_screen()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        under = self._pictures.under()
        if under is not None:
            painter.drawImage(transform.mapRect(QRectF(0, 0, under.width(), under.height())), under)
        painter.setOpacity(self._scene.scan_opacity)
        painter.drawImage(transform.mapRect(QRectF(0, 0, grey.width(), grey.height())), grey)
        painter.setOpacity(1)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        labels = self._pictures.labels()
        if labels is not None:
            image, left, top = labels
            painter.drawImage(transform.mapRect(QRectF(left, top, image.width(), image.height())), image)
        heat = self._pictures.uncertainty()
        if heat is not None:
            painter.drawImage(transform.mapRect(QRectF(0, 0, heat.width(), heat.height())), heat)
        painter.setTransform(transform)
        for edges, width in ((self._pictures.edges(), 1.3), (self._pictures.truth_edges(), TRUTH_PX)):
            for colour, lines in edges:
                if width == TRUTH_PX:  # a dark rim, or it is lost on a fill of its own colour
                    _stroke(painter, theme().color("view_ground"), 2 * width, lines)
                _stroke(painter, QColor(*colour), width, lines)
        painter.resetTransform()

    def _draw_arriving(self, painter: QPainter) -> None:
        """What is there of the slice; the rest is hatched, which no tissue and no air looks like."""
        transform = self.picture_to_screen()
        whole = transform.mapRect(QRectF(0, 0, *self._size()))
        colour = theme().color("view_dim")
        colour.setAlpha(HATCH_ALPHA)
        painter.fillRect(whole, QBrush(colour, Qt.BrushStyle.BDiagPattern))
        there = self._pictures.arriving()
        if there is not None:
            image, left, top = there
            place = transform.mapRect(QRectF(left, top, image.width(), image.height()))
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(place, image)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.setPen(QPen(colour, 1))
        painter.drawRect(whole)

    def _draw_cursor(self, painter: QPainter) -> None:
        point = self.index_to_screen(self._scene.index)
        x, y, gap = round(point.x()) + 0.5, round(point.y()) + 0.5, 7
        colour = theme().color("crosshair")
        colour.setAlpha(190)
        painter.setPen(QPen(colour, 1))
        # The lines end before the letters at the edges: an I must not drown in one.
        left, right, top, bottom = MARGIN, self.width() - MARGIN, MARGIN, self.height() - MARGIN
        if top <= y <= bottom:
            painter.drawLine(QPointF(left, y), QPointF(max(x - gap, left), y))
            painter.drawLine(QPointF(min(x + gap, right), y), QPointF(right, y))
        if left <= x <= right:
            painter.drawLine(QPointF(x, top), QPointF(x, max(y - gap, top)))
            painter.drawLine(QPointF(x, min(y + gap, bottom)), QPointF(x, bottom))

    def _draw_words(self, painter: QPainter) -> None:
        tokens = theme().tokens
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        area = QRectF(self.rect()).adjusted(10, 6, -10, -6)
        middle = Qt.AlignmentFlag
        known = self._scene.sides_known  # letters that are a guess would be believed
        left, right, top, bottom = self.plane.letters(self._scene.radiological) if known else ("",) * 4
        painter.setFont(bold)
        for letter, where in (
            (left, middle.AlignLeft | middle.AlignVCenter),
            (right, middle.AlignRight | middle.AlignVCenter),
            (top, middle.AlignHCenter | middle.AlignTop),
            (bottom, middle.AlignHCenter | middle.AlignBottom),
        ):
            _text(painter, area, where, letter, tokens.letters)
        name = self.plane.name if self._scene.is_placed else "Picture" if self.plane.normal == 2 else "Edge on"
        _text(painter, area, middle.AlignLeft | middle.AlignTop, name, tokens.view_text)
        painter.setFont(self.font())
        if self._scene.arriving is not None:
            below = area.adjusted(0, painter.fontMetrics().height() + 2, 0, 0)
            _text(painter, below, middle.AlignLeft | middle.AlignTop, self._scene.arriving.words(), tokens.letters)
        normal = self.plane.normal
        counter = f"{self._scene.index[normal] + 1} / {self._scene.shape[normal]}"
        thick = f"{self._scene.spacing_mm[normal]:.3g} mm"
        words = f"{counter} · {thick}" if self._scene.scale_known else counter
        if painter.fontMetrics().horizontalAdvance(words) > self.width() / 2 - MARGIN:
            words = f"{counter}\n{thick}"  # the letter in the middle needs its room
        _text(painter, area, middle.AlignRight | middle.AlignTop, words, tokens.view_dim)
        window = self._scene.window.text()
        if painter.fontMetrics().horizontalAdvance(window) > self.width() / 2 - MARGIN:
            window = window.replace("  ", "\n")
        _text(painter, area, middle.AlignLeft | middle.AlignBottom, window, tokens.view_dim)
        size = painter.fontMetrics().size(0, window)
        self._words = QRectF(area.left(), area.bottom() - size.height(), size.width(), size.height())
        if self._scene.scale_known:
            draw_scale_bar(painter, area, self.picture_to_screen().m11() / self._scene.spacing_mm[self.plane.across])

    # ---- the mouse and the keys ---------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_by(1.0015**turned, event.position())
        else:
            self._wheel += turned  # a touch pad sends many small turns
            steps, self._wheel = int(self._wheel / WHEEL_STEP), int(np.fmod(self._wheel, WHEEL_STEP))
            if steps:
                self._scene.step(self.plane.normal, steps)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        button = event.button()
        if button == Qt.MouseButton.LeftButton and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            button = Qt.MouseButton.MiddleButton  # for a mouse without a middle button
        self._press = (button, event.position(), QPointF(self._moved), self._scene.window)
        if button == Qt.MouseButton.LeftButton:
            self._left_press(event.position())

    def _left_press(self, at: QPointF) -> None:
        if not self._scene.showing:
            return
        if self._scene.tool == "measure":
            if self._scene.volume is not None:  # not in a scan that is still arriving
                self.measuring.press(at)
        else:
            self._scene.set_index(self.screen_to_index(at))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is None or not self._scene.showing:
            return
        button, began, moved, window = self._press
        way = event.position() - began
        if button == Qt.MouseButton.LeftButton and self._scene.tool == "measure":
            self.measuring.move(event.position())
        elif button == Qt.MouseButton.LeftButton:
            self._scene.set_index(self.screen_to_index(event.position()))
        elif button == Qt.MouseButton.MiddleButton:
            self._moved = moved + way
            self.update()
        elif button == Qt.MouseButton.RightButton:
            width = window.width * float(np.exp(way.x() / 250))
            self._scene.set_window(WindowLevel(width, window.level + way.y() * window.width / 400))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._press is not None and self._press[0] == Qt.MouseButton.LeftButton and self._scene.tool == "measure":
            self.measuring.release(event.position())
        self._press = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        on_words = self._words.adjusted(-4, -4, 4, 4).contains(event.position())
        if on_words or event.button() == Qt.MouseButton.RightButton:
            self._scene.auto_window()
        elif event.button() == Qt.MouseButton.LeftButton and self._scene.tool == "cursor":
            self.maximise_requested.emit()

    def event(self, event: QEvent) -> bool:
        # Undo belongs to the measured lines while they are what was done last; else the window has it.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            lines = self._scene.lines
            undo = event.matches(QKeySequence.StandardKey.Undo) and lines.can_undo
            redo = event.matches(QKeySequence.StandardKey.Redo) and lines.can_redo
            escape = event.key() == Qt.Key.Key_Escape and self._scene.tool == "measure"
            if undo or redo or escape:
                event.accept()
                return True
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        # The ring is for those who walk by keyboard: a click shows where it went.
        self._ring = event.reason() in KEYBOARD
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key
        steps = {
            key.Key_Up: 1,
            key.Key_Right: 1,
            key.Key_Down: -1,
            key.Key_Left: -1,
            key.Key_PageUp: 10,
            key.Key_PageDown: -10,
        }
        pressed = Qt.Key(event.key())
        if self._measuring_key(event):
            return
        if pressed in steps:
            self._scene.step(self.plane.normal, steps[pressed])
        elif pressed in (key.Key_Plus, key.Key_Equal, key.Key_Minus):
            self.zoom_by(1 / 1.25 if pressed == key.Key_Minus else 1.25)
        elif pressed == key.Key_Home:
            self.reset_view()
        elif pressed in (key.Key_Return, key.Key_Enter):
            self.maximise_requested.emit()
        else:
            super().keyPressEvent(event)

    def _measuring_key(self, event: QKeyEvent) -> bool:
        """Undo, redo, remove and leave, where there is something to be undone, removed or left."""
        lines = self._scene.lines
        if event.matches(QKeySequence.StandardKey.Undo) and lines.can_undo:
            lines.undo()
        elif event.matches(QKeySequence.StandardKey.Redo) and lines.can_redo:
            lines.redo()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and lines.all:
            lines.remove_selected()
        elif event.key() == Qt.Key.Key_Escape and self._scene.tool == "measure":
            if not self.measuring.cancel():
                self._scene.set_tool("cursor")
        else:
            return False
        self._scene.lines_changed()
        return True


def _stroke(painter: QPainter, colour: QColor, width: float, lines: list[QLineF]) -> None:
    """Lines as wide as said, however much the picture is enlarged."""
    pen = QPen(colour, width)
    pen.setCosmetic(True)
    painter.setPen(pen)
    painter.drawLines(lines)


def _text(painter: QPainter, area: QRectF, where: Qt.AlignmentFlag, text: str, colour: str) -> None:
    """Text with a dark shadow, so that it reads on bright pictures too."""
    painter.setPen(theme().color("view_ground"))
    for x, y in ((1, 1), (-1, 0), (0, -1), (1, 0)):
        painter.drawText(area.translated(x, y), int(where), text)
    painter.setPen(QColor(colour))
    painter.drawText(area, int(where), text)
