"""The 3D view: what it draws, and that it never takes the window with it."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtGui import QColor

from core.control import JobControl
from gui.viewer.gl_probe import GlReport, probe
from gui.viewer.overlays import Overlay
from gui.viewer.slice_grid import SliceGrid
from gui.viewer.volume_view import nearest_letter
from tests.gui.making import affine_ras, opened, voxels_ras, write_scan

RED = (255, 0, 0)


@pytest.fixture(scope="module")
def gl() -> GlReport:
    report = probe()
    if not report.works:
        pytest.skip(f"no OpenGL here: {report.problem}")
    return report


def settle(qtbot: object, grid: SliceGrid, gl: GlReport) -> None:
    grid.volume_view._gl = gl
    with qtbot.waitSignal(grid.volume_view.settled, timeout=20_000):
        grid.volume_view.update()


def test_a_structure_is_drawn_in_its_colour_and_hidden_when_asked(
    qtbot: object, grid: SliceGrid, gl: GlReport, tmp_path: Path
):
    grid.scene.show(opened(write_scan(tmp_path / "scan.nii", "LPS")))
    settle(qtbot, grid, gl)
    volume = grid.scene.volume
    assert volume is not None
    labels = (np.asarray(volume.voxels) > 900).astype(np.uint8)
    grid.scene.set_overlay(Overlay(labels, [{"label": 1, "name": "Marker"}], {1: RED}))
    settle(qtbot, grid, gl)
    assert reddish(grid) > 20
    grid.scene.set_structure_shown(1, False)
    assert reddish(grid) == 0


def test_a_structure_of_another_volume_is_not_drawn_and_comes_back_with_its_own(
    qtbot: object, grid: SliceGrid, gl: GlReport, tmp_path: Path
):
    still = voxels_ras()
    nib.save(nib.Nifti1Image(np.stack([still, still], axis=3), affine_ras()), tmp_path / "two.nii")
    grid.scene.show(opened(tmp_path / "two.nii"))
    labels = (still > 900).astype(np.uint8)
    grid.scene.set_overlay(Overlay(labels, [{"label": 1, "name": "Marker"}], {1: RED}, time=1))
    settle(qtbot, grid, gl)
    assert reddish(grid) == 0
    grid.scene.set_time(1)
    assert reddish(grid) > 20
    grid.scene.set_time(0)
    assert reddish(grid) == 0


def test_the_outside_of_a_scan_of_several_volumes_is_that_of_the_volume_shown(
    qtbot: object, grid: SliceGrid, gl: GlReport, tmp_path: Path
):
    volumes = np.zeros((40, 40, 40, 2), np.int16)
    volumes[4:14, 15:25, 15:25, 0] = 900
    volumes[24:36, 15:25, 15:25, 1] = 900
    nib.save(nib.Nifti1Image(volumes, np.eye(4)), tmp_path / "moves.nii")
    view = grid.volume_view
    grid.scene.show(opened(tmp_path / "moves.nii"))
    settle(qtbot, grid, gl)
    assert view.words == "3D, time 1"
    first = view._surfaces.skin.GetBounds()
    grid.scene.set_time(1)
    assert not view.up_to_date
    assert view.words == "3D, time 1"  # until the other one is there
    settle(qtbot, grid, gl)
    assert view.words == "3D, time 2"
    second = view._surfaces.skin.GetBounds()
    assert first[1] < 20 < second[0]
    grid.scene.set_time(0)
    settle(qtbot, grid, gl)
    assert view._surfaces.skin.GetBounds() == pytest.approx(first)


def reddish(grid: SliceGrid) -> int:
    image = grid.volume_view.grab().toImage()
    colours = (
        QColor(image.pixel(x, y)) for x in range(30, image.width() - 30, 3) for y in range(30, image.height() - 30, 3)
    )
    return sum(colour.red() > colour.green() + 60 for colour in colours)


def test_without_opengl_the_pane_says_so_and_the_slices_work(qtbot: object, grid: SliceGrid, tmp_path: Path):
    grid.volume_view._gl = GlReport(False, problem="no OpenGL was found")
    grid.scene.show(opened(write_scan(tmp_path / "scan.nii")))
    grid.grab()
    assert grid.volume_view.up_to_date
    assert grid.volume_view._stage is None


def test_closing_while_surfaces_are_made_is_safe(qtbot: object, grid: SliceGrid, gl: GlReport, tmp_path: Path):
    grid.volume_view._gl = gl
    grid.scene.show(opened(write_scan(tmp_path / "scan.nii")))
    grid.grab()
    grid.close_views()
    grid.close()


def test_letters_follow_the_camera(qtbot: object, grid: SliceGrid, gl: GlReport, tmp_path: Path):
    grid.scene.show(opened(write_scan(tmp_path / "scan.nii")))
    settle(qtbot, grid, gl)
    stage = grid.volume_view._stage
    assert stage is not None
    seen = {"A": ("L", "S"), "P": ("R", "S"), "R": ("A", "S"), "L": ("P", "S"), "S": ("R", "A"), "I": ("L", "A")}
    for side, letters in seen.items():
        grid.volume_view.look_from(side)
        directions = stage.axes()
        assert (nearest_letter(directions[0]), nearest_letter(directions[1])) == letters, side


@pytest.mark.parametrize("tilt", [0.0, 25.0])
def test_surfaces_lie_where_the_structure_is_in_the_patient(tmp_path: Path, tilt: float):
    from vtkmodules.util.numpy_support import vtk_to_numpy

    from core.imaging.geometry import index_to_ras_mm, to_canonical
    from gui.viewer.surfaces import label_surfaces

    volume = opened(write_scan(tmp_path / "scan.nii", "LPI", tilt_degrees=tilt)).volume
    turn = to_canonical(volume.affine_ras)
    mask = (turn.apply(volume.voxels) > 900).astype(np.uint8)
    affine = turn.affine(volume.affine_ras, volume.grid_shape)
    meshes = label_surfaces(mask, [1, 2], affine, JobControl())
    assert list(meshes) == [1]
    points = vtk_to_numpy(meshes[1].GetPoints().GetData())
    middle = index_to_ras_mm(affine, np.argwhere(mask).mean(axis=0))
    assert points.mean(axis=0) == pytest.approx(middle, abs=0.5)
    assert np.ptp(points, axis=0) == pytest.approx([10, 10, 10], abs=4.5)


def test_a_scan_without_air_around_it_has_no_outside():
    from gui.viewer.surfaces import scan_surface

    tissue = np.random.default_rng(0).normal(500, 30, (40, 40, 40)).astype(np.float32)
    tissue[:4] = 0
    assert scan_surface(tissue, np.eye(4), JobControl()) is None
