"""Measured lines, the scale bar, and the window chosen from the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget

from core.imaging.volume import Source, Volume
from gui.viewer.lines import MeasuredLine, MeasuredLines
from gui.viewer.overlays import Overlay
from gui.viewer.scale_bar import round_length_mm
from gui.viewer.scene import OpenedScan
from gui.viewer.slice_grid import SliceGrid
from gui.viewer.slice_view import SliceView
from gui.viewer.window_level import CT_PRESETS, WindowLevel
from tests.gui.making import opened, write_scan

SPACING = 2.0


@pytest.fixture
def shown(grid: SliceGrid, tmp_path: Path) -> SliceGrid:
    grid.scene.show(opened(write_scan(tmp_path / "scan.nii.gz", "LPS")))
    grid.scene.set_tool("measure")
    return grid


def draw(qtbot: object, view: SliceView, start: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    a, b = (view.index_to_screen(index).toPoint() for index in (start, end))
    view.setFocus()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=a)
    qtbot.mouseMove(view, (a + b) / 2)
    qtbot.mouseMove(view, b)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=b)


def test_a_drawn_line_has_its_length_in_mm_and_leaves_the_cursor(qtbot: object, shown: SliceGrid):
    axial, before = shown.slices[0], shown.scene.index
    draw(qtbot, axial, (5, 10, before[2]), (5, 30, before[2]))
    (line,) = shown.scene.lines.all
    assert line.length_mm(shown.scene.affine_ras) == pytest.approx(20 * SPACING, abs=0.5)
    assert shown.scene.index == before
    assert shown.scene.lines.in_slice(2, before[2]) == [line]
    assert shown.scene.lines.in_slice(2, before[2] + 1) == []


def test_undo_redo_and_delete_by_key(qtbot: object, shown: SliceGrid):
    axial, k, ctrl = shown.slices[0], shown.scene.index[2], Qt.KeyboardModifier.ControlModifier
    draw(qtbot, axial, (5, 10, k), (5, 30, k))
    draw(qtbot, axial, (9, 10, k), (20, 10, k))
    qtbot.keyClick(axial, Qt.Key.Key_Z, ctrl)
    assert len(shown.scene.lines.all) == 1
    qtbot.keyClick(axial, Qt.Key.Key_Z, ctrl | Qt.KeyboardModifier.ShiftModifier)
    assert len(shown.scene.lines.all) == 2
    qtbot.mouseClick(axial, Qt.MouseButton.LeftButton, pos=axial.index_to_screen((5, 20, k)).toPoint())
    qtbot.keyClick(axial, Qt.Key.Key_Delete)
    (left,) = shown.scene.lines.all
    assert left.start[1] == pytest.approx(left.end[1], abs=0.5)  # the other one, which runs across
    qtbot.keyClick(axial, Qt.Key.Key_Z, ctrl)
    assert len(shown.scene.lines.all) == 2


def test_an_end_can_be_moved(qtbot: object, shown: SliceGrid):
    axial, k = shown.slices[0], shown.scene.index[2]
    draw(qtbot, axial, (5, 10, k), (5, 30, k))
    draw(qtbot, axial, (5, 30, k), (5, 20, k))
    (line,) = shown.scene.lines.all
    assert line.length_mm(shown.scene.affine_ras) == pytest.approx(10 * SPACING, abs=0.5)


def test_escape_stops_measuring_and_the_lines_stay_with_their_scan(qtbot: object, shown: SliceGrid, tmp_path: Path):
    axial, k, first = shown.slices[0], shown.scene.index[2], shown.scene.opened
    draw(qtbot, axial, (5, 10, k), (5, 30, k))
    qtbot.keyClick(axial, Qt.Key.Key_Escape)
    assert shown.scene.tool == "cursor"
    assert not shown.measure.isChecked()
    shown.scene.show(opened(write_scan(tmp_path / "other.nii")))
    assert shown.scene.lines.all == ()
    shown.scene.show(first)
    assert len(shown.scene.lines.all) == 1


def test_a_segmentation_laid_over_afterwards_takes_undo(shown: SliceGrid):
    lines = shown.scene.lines
    lines.add(MeasuredLine(2, 3, (0, 0, 3), (5, 0, 3)))
    assert lines.can_undo
    labels = np.zeros(shown.scene.volume.grid_shape, np.uint8)
    shown.scene.set_overlay(Overlay(labels, [], {}))
    assert not lines.can_undo
    lines.add(MeasuredLine(2, 3, (0, 0, 3), (6, 0, 3)))
    assert lines.can_undo


def test_a_length_is_right_across_a_sheared_grid():
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[1, 2] = 4.0  # the slices slide by 4 mm
    assert MeasuredLine(0, 0, (0, 0, 0), (0, 0, 1)).length_mm(affine) == pytest.approx(5.0)


def test_the_scale_bar_is_a_round_length():
    assert [round_length_mm(mm) for mm in (1.0, 1.99, 2.0, 73.0, 0.04)] == pytest.approx([1, 1, 2, 50, 0.02])


def test_undo_of_nothing_and_of_a_cleared_list():
    lines = MeasuredLines()
    lines.undo()
    assert not lines.remove_selected()
    lines.add(MeasuredLine(0, 0, (0, 0, 0), (0, 1, 0)))
    lines.clear()
    lines.undo()
    assert len(lines.all) == 1


@pytest.mark.parametrize("way", ["right button", "words"])
def test_a_double_click_chooses_the_window_from_the_picture(qtbot: object, shown: SliceGrid, way: str):
    axial = shown.slices[0]
    chosen = shown.scene.window
    shown.scene.set_window(WindowLevel(7, 7))
    axial.repaint()
    if way == "words":
        qtbot.mouseDClick(axial, Qt.MouseButton.LeftButton, pos=QPoint(20, axial.height() - 14))
    else:
        qtbot.mouseDClick(axial, Qt.MouseButton.RightButton, pos=axial.rect().center())
    assert shown.scene.window == chosen


@pytest.mark.parametrize(("modality", "lowest", "is_ct"), [("CT", 0, True), ("", -1000, True), ("MR", -1000, False)])
def test_only_ct_is_taken_for_ct(modality: str, lowest: int, is_ct: bool):
    voxels = np.full((20, 20, 20), lowest, np.int16)
    voxels[5:15, 5:15, 5:15] = 40
    voxels[8:10, 8:10, 5:15] = 900
    scan = OpenedScan.prepare(Volume(voxels, np.eye(4), Source(Path("a.nii"), "NIfTI-1", modality=modality)))
    assert scan.is_ct is is_ct
    assert (scan.window == CT_PRESETS["Soft tissue"]) is is_ct


def test_a_saved_picture_is_finer_than_the_screen(shown: SliceGrid):
    image = shown.picture(2)
    assert (image.width(), image.height()) == (2 * shown.width(), 2 * shown.height())
    assert shown.findChild(QWidget, "side-marker").isVisible()
