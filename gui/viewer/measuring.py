"""The measuring tool of a slice view: what the mouse does while it is chosen, and how lines are drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from gui.theme.theme import theme
from gui.viewer.lines import MeasuredLine, Point
from gui.viewer.planes import Plane
from gui.viewer.scene import Scene

NEAR_PX = 7.0
SHORTEST_PX = 4.0


class MeasuredView(Protocol):
    """What the tool asks of the view it draws on."""

    plane: Plane

    def index_to_screen(self, index: Point) -> QPointF: ...

    def screen_to_index(self, point: QPointF) -> list[float]: ...

    def rect(self) -> QRect: ...


class MeasuringTool:
    """One per slice view. A drag on the picture makes a line, a drag at an end moves it, a click on one selects it."""

    def __init__(self, view: MeasuredView, scene: Scene) -> None:
        self._view = view
        self._scene = scene
        self._start: QPointF | None = None
        self._moved: MeasuredLine | None = None  # the line whose end is being moved
        self._draft: MeasuredLine | None = None

    @property
    def _here(self) -> list[MeasuredLine]:
        normal = self._view.plane.normal
        return self._scene.lines.in_slice(normal, self._scene.index[normal])

    # ---- the mouse ----------------------------------------------------------------------------------------------

    def press(self, at: QPointF) -> None:
        self._start, self._draft, self._moved = at, None, None
        for line in self._here:
            for end in ("start", "end"):
                if _distance(self._view.index_to_screen(getattr(line, end)), at) < NEAR_PX:
                    # A line is drawn towards its end: one that is taken by its start is turned round.
                    self._moved = line
                    self._draft = line if end == "end" else replace(line, start=line.end, end=line.start)
                    self._scene.lines.selected = line
                    self._scene.lines_changed()
                    return

    def move(self, at: QPointF) -> None:
        if self._start is None:
            return
        point = self._point(at)
        if self._moved is not None and self._draft is not None:
            self._draft = replace(self._draft, end=point)
        elif _distance(self._start, at) >= SHORTEST_PX:
            normal = self._view.plane.normal
            self._draft = MeasuredLine(normal, self._scene.index[normal], self._point(self._start), point)
        self._scene.lines_changed()

    def release(self, at: QPointF) -> None:
        lines, draft, moved, start = self._scene.lines, self._draft, self._moved, self._start
        self.cancel()
        if start is None:
            return
        if draft is None:
            lines.selected = self._line_at(at)
        elif moved is None:
            lines.add(draft)
        elif _distance(start, at) >= 1:
            lines.replace(moved, draft)
        self._scene.lines_changed()

    def cancel(self) -> bool:
        """Give up what is being drawn; False if nothing was."""
        under_way = self._draft is not None
        self._start = self._draft = self._moved = None
        return under_way

    def _point(self, at: QPointF) -> Point:
        i, j, k = self._view.screen_to_index(at)
        return i, j, k

    def _line_at(self, at: QPointF) -> MeasuredLine | None:
        for line in self._here:
            if _distance_to(self._view.index_to_screen(line.start), self._view.index_to_screen(line.end), at) < NEAR_PX:
                return line
        return None

    # ---- drawing ------------------------------------------------------------------------------------------------

    def draw(self, painter: QPainter) -> None:
        lines = [line for line in self._here if line is not self._moved]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for line in [*lines, *([self._draft] if self._draft is not None else [])]:
            self._draw_line(painter, line, strong=line is self._scene.lines.selected or line is self._draft)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_line(self, painter: QPainter, line: MeasuredLine, *, strong: bool) -> None:
        start, end = self._view.index_to_screen(line.start), self._view.index_to_screen(line.end)
        colour = theme().color("measure")
        for pen in (QPen(theme().color("view_ground"), 4), QPen(colour, 2 if strong else 1.4)):
            painter.setPen(pen)
            painter.drawLine(start, end)
        painter.setBrush(colour if strong else theme().color("view_ground"))
        for point in (start, end):
            painter.drawEllipse(point, 3.5, 3.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        self._draw_length(painter, line, start, end)

    def _draw_length(self, painter: QPainter, line: MeasuredLine, start: QPointF, end: QPointF) -> None:
        length = line.length_mm(self._scene.affine_ras)
        words = length_text(length) if self._scene.scale_known else f"{length:.0f} voxels"
        size = painter.fontMetrics().size(0, words)
        right = end if end.x() >= start.x() else start
        area = QRectF(right.x() + 10, right.y() - size.height() / 2, size.width() + 2, size.height())
        inside = QRectF(self._view.rect()).adjusted(4, 4, -4, -4)
        if area.right() > inside.right():  # no room beside the end: above it
            area.moveRight(min(right.x(), inside.right()))
            area.moveBottom(right.y() - 8)
        area.moveTop(min(max(area.top(), inside.top()), inside.bottom() - area.height()))
        ground = theme().color("view_ground")
        ground.setAlpha(190)
        painter.fillRect(area.adjusted(-3, -1, 3, 1), ground)
        painter.setPen(theme().color("measure"))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), words)


def length_text(length_mm: float) -> str:
    """
    >>> length_text(7.25), length_text(123.4)
    ('7.2 mm', '123 mm')
    """
    return f"{length_mm:.1f} mm" if length_mm < 100 else f"{length_mm:.0f} mm"


def _distance(one: QPointF, other: QPointF) -> float:
    return float(np.hypot(one.x() - other.x(), one.y() - other.y()))


def _distance_to(start: QPointF, end: QPointF, point: QPointF) -> float:
    """From a point to the piece of a line."""
    way, to_point = end - start, point - start
    length = QPointF.dotProduct(way, way)
    share = min(max(QPointF.dotProduct(to_point, way) / length, 0.0), 1.0) if length else 0.0
    return _distance(start + way * share, point)
