"""Mouse, keys and overlay of the slice views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtWidgets import QApplication

from gui.viewer.overlays import Overlay
from gui.viewer.slice_grid import SliceGrid
from gui.viewer.slice_view import SliceView
from tests.gui.making import MARKER_RAS, SHAPE_RAS, opened, write_scan

ORANGE = (230, 159, 0)


@pytest.fixture
def shown(grid: SliceGrid, tmp_path: Path) -> SliceGrid:
    grid.scene.show(opened(write_scan(tmp_path / "scan.nii.gz", "LPS")))
    return grid


def click(qtbot: object, view: SliceView, index: tuple[int, int, int]) -> None:
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.index_to_screen(index).toPoint())


def wheel(view: SliceView, turn: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    middle = QPointF(view.width() / 2, view.height() / 2)
    none = Qt.MouseButton.NoButton
    event = QWheelEvent(
        middle,
        view.mapToGlobal(middle),
        QPoint(),
        QPoint(0, turn),
        none,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_a_click_moves_the_cursor_of_every_view_there(qtbot: object, shown: SliceGrid):
    axial, coronal, sagittal = shown.slices
    click(qtbot, axial, (8, 30, 5))
    assert shown.scene.index[:2] == (8, 30)
    click(qtbot, coronal, (25, 0, 18))
    assert shown.scene.index == (25, 30, 18)
    click(qtbot, sagittal, (0, 11, 18))
    assert shown.scene.index == (25, 11, 18)


def test_screen_and_index_agree_in_both_directions(shown: SliceGrid):
    shown.scene.set_index((5, 6, 7))
    for view in shown.slices:
        assert view.screen_to_index(view.index_to_screen((5, 6, 7))) == pytest.approx([5, 6, 7])


def test_the_cursor_stays_inside_the_scan(qtbot: object, shown: SliceGrid):
    qtbot.mouseClick(shown.slices[0], Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert all(0 <= n < size for n, size in zip(shown.scene.index, SHAPE_RAS, strict=True))


def test_the_wheel_turns_slices_and_small_turns_add_up(shown: SliceGrid):
    before = shown.scene.index[2]
    wheel(shown.slices[0], 120)
    assert shown.scene.index[2] == before + 1
    for _ in range(4):
        wheel(shown.slices[0], -30)
    assert shown.scene.index[2] == before


def test_control_and_wheel_zoom_about_the_pointer(shown: SliceGrid):
    view = shown.slices[0]
    middle = QPointF(view.width() / 2, view.height() / 2)
    before, scale = view.screen_to_index(middle), view.picture_to_screen().m11()
    wheel(view, 240, Qt.KeyboardModifier.ControlModifier)
    assert view.picture_to_screen().m11() > 1.2 * scale
    assert view.screen_to_index(middle) == pytest.approx(before, abs=0.01)
    view.reset_view()
    assert view.picture_to_screen().m11() == pytest.approx(scale)


def test_keys_step_through_slices(qtbot: object, shown: SliceGrid):
    before = shown.scene.index[1]
    qtbot.keyClick(shown.slices[1], Qt.Key.Key_Up)
    assert shown.scene.index[1] == before + 1
    qtbot.keyClick(shown.slices[1], Qt.Key.Key_PageDown)
    assert shown.scene.index[1] == before - 9


def test_a_right_drag_changes_window_and_level(qtbot: object, shown: SliceGrid):
    view, before = shown.slices[0], shown.scene.window
    qtbot.mousePress(view, Qt.MouseButton.RightButton, pos=QPoint(100, 100))
    qtbot.mouseMove(view, QPoint(150, 140))
    qtbot.mouseRelease(view, Qt.MouseButton.RightButton, pos=QPoint(150, 140))
    assert shown.scene.window.width > before.width
    assert shown.scene.window.level > before.level


def test_a_double_click_shows_one_view_alone_and_another_brings_all_back(qtbot: object, shown: SliceGrid):
    qtbot.mouseDClick(shown.slices[1], Qt.MouseButton.LeftButton)
    assert [view.isVisible() for view in shown.views] == [False, True, False, False]
    qtbot.mouseDClick(shown.slices[1], Qt.MouseButton.LeftButton)
    assert all(view.isVisible() for view in shown.views)


def overlay_on_marker(shown: SliceGrid) -> Overlay:
    volume = shown.scene.volume
    assert volume is not None
    labels = (np.asarray(volume.voxels) > 900).astype(np.uint8)
    return Overlay(labels, [{"label": 1, "name": "Marker"}], {1: ORANGE}, opacity=1.0)


def colour_at_marker(shown: SliceGrid) -> tuple[int, int, int]:
    shown.scene.set_index((MARKER_RAS[0] + 2, MARKER_RAS[1] + 2, MARKER_RAS[2]))
    view = shown.slices[0]
    point = view.index_to_screen((MARKER_RAS[0] - 1, MARKER_RAS[1] - 1, MARKER_RAS[2])).toPoint()
    colour = QColor(view.grab().toImage().pixel(point))
    return colour.red(), colour.green(), colour.blue()


def test_the_overlay_lies_where_its_structure_is(shown: SliceGrid):
    assert len(set(colour_at_marker(shown))) == 1  # grey
    shown.scene.set_overlay(overlay_on_marker(shown))
    assert colour_at_marker(shown) == ORANGE


def test_a_hidden_structure_and_a_hidden_overlay_do_not_show(shown: SliceGrid):
    shown.scene.set_overlay(overlay_on_marker(shown))
    shown.scene.set_structure_shown(1, False)
    assert colour_at_marker(shown) != ORANGE
    shown.scene.set_structure_shown(1, True)
    shown.scene.set_overlay_look(shown=False)
    assert colour_at_marker(shown) != ORANGE


def test_an_overlay_on_another_grid_is_refused(shown: SliceGrid):
    with pytest.raises(ValueError, match="grid"):
        shown.scene.set_overlay(Overlay(np.zeros((3, 3, 3), np.uint8), [], {}))
