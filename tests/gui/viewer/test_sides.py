"""The patient's right is where the words say, whatever the voxel order of the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage

from core.imaging.volume import Finding
from gui.viewer.slice_grid import SliceGrid
from gui.viewer.slice_view import SliceView
from tests.gui.making import MARKER_RAS, opened, write_scan

ORDERS = ["RAS", "LAS", "LPS", "LPI", "RPI", "PSR", "SAL", "AIL"]


def pixels(view: SliceView) -> np.ndarray:
    """What the view shows, as grey."""
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width()].copy()


def bright_centre(view: SliceView) -> QPointF:
    """The middle of the brightest area, away from the words at the edges."""
    picture = pixels(view)[40:-40, 40:-40]
    rows, columns = np.nonzero(picture > 250)
    return QPointF(columns.mean() + 40, rows.mean() + 40)


def show(grid: SliceGrid, path: Path) -> None:
    grid.scene.show(opened(path))
    grid.scene.set_index(MARKER_RAS)
    grid.scene.step(1, 1)  # the cursor's lines off the marker's middle
    grid.scene.step(2, 1)


@pytest.mark.parametrize("codes", ORDERS)
def test_the_patients_right_is_on_the_left_of_the_picture(grid: SliceGrid, tmp_path: Path, codes: str):
    show(grid, write_scan(tmp_path / "scan.nii.gz", codes))
    assert grid.marker.text() == "Patient's right is on the left of the picture"
    for view in grid.slices[:2]:
        assert bright_centre(view).x() < view.width() / 2 - 20, view.plane.name
        assert view.plane.letters(radiological=True)[:2] == ("R", "L")


@pytest.mark.parametrize("codes", ORDERS)
def test_flipped_pictures_and_words_agree(grid: SliceGrid, tmp_path: Path, codes: str):
    show(grid, write_scan(tmp_path / "scan.nii.gz", codes))
    grid.flip_sides()
    assert grid.marker.text() == "Patient's right is on the right of the picture"
    for view in grid.slices[:2]:
        assert bright_centre(view).x() > view.width() / 2 + 20
        assert view.plane.letters(radiological=False)[:2] == ("L", "R")


def test_a_tilted_scan_keeps_its_sides_and_says_that_it_is_tilted(grid: SliceGrid, tmp_path: Path):
    show(grid, write_scan(tmp_path / "scan.nii.gz", "LPI", tilt_degrees=20))
    assert bright_centre(grid.slices[0]).x() < grid.slices[0].width() / 2 - 20
    assert "Oblique scan" in grid.note.text()
    assert "20°" in grid.note.text()


def test_a_straight_scan_has_no_note(grid: SliceGrid, tmp_path: Path):
    show(grid, write_scan(tmp_path / "scan.nii.gz"))
    assert grid.note.text() == ""


def test_sagittal_pictures_have_anterior_on_the_left_and_head_on_top(grid: SliceGrid):
    sagittal = grid.slices[2]
    assert sagittal.plane.letters(radiological=True) == ("A", "P", "S", "I")
    assert sagittal.plane.letters(radiological=False) == ("A", "P", "S", "I")


def test_the_picture_keeps_the_patients_proportions(grid: SliceGrid, tmp_path: Path):
    show(grid, write_scan(tmp_path / "scan.nii.gz", "PSR"))
    for view in grid.slices:
        transform = view.picture_to_screen()
        assert transform.m11() == pytest.approx(transform.m22())


def test_no_letters_and_no_lengths_where_the_file_tells_neither(grid: SliceGrid, tmp_path: Path):
    scan = opened(write_scan(tmp_path / "scan.nii.gz"))
    grid.scene.show(scan)
    known = [pixels(view) for view in grid.slices]
    told = (Finding("no_place", "warning", "A picture."), Finding("no_spacing", "warning", "1 mm was assumed."))
    grid.scene.show(replace(scan, volume=scan.volume.with_findings(*told)))
    assert grid.marker.text() == "The patient's sides are not known"
    for view, before in zip(grid.slices, known, strict=True):
        after = pixels(view)
        middle, edge = after.shape[0] // 2, slice(0, 26)
        assert (before[middle - 12 : middle + 12, edge] > 120).any()
        assert not (after[middle - 12 : middle + 12, edge] > 120).any()
        assert (before[-30:, -120:] != after[-30:, -120:]).any()  # the bar of millimetres


def test_in_a_narrow_window_the_sides_are_said_shorter_and_never_cut(grid: SliceGrid, tmp_path: Path):
    show(grid, write_scan(tmp_path / "scan.nii.gz", ORDERS[0]))
    grid.resize(340, 400)
    assert grid.marker.text() == "Patient's right is on the left"
    assert grid.marker.width() >= grid.marker.sizeHint().width()
