"""The state behind the views, without any widget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.imaging.volume import Source, Volume
from gui.viewer.overlays import Overlay
from gui.viewer.scene import OpenedScan, Scene
from gui.viewer.window_level import CT_PRESETS, WindowLevel, auto_window, to_grey
from tests.gui.making import BODY, MARKER, MARKER_RAS, opened, write_scan


def scene_of(path: Path) -> Scene:
    scene = Scene()
    scene.show(opened(path))
    return scene


def volume_of(voxels: np.ndarray, **more: object) -> Volume:
    return Volume(voxels, np.eye(4), Source(Path("x.nii"), "NIfTI-1"), **more)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAL"])
def test_the_cursor_is_told_in_the_files_own_voxels_and_in_the_patients_millimetres(tmp_path: Path, codes: str):
    scene = scene_of(write_scan(tmp_path / "scan.nii", codes))
    scene.set_index(MARKER_RAS)
    volume = scene.volume
    assert volume is not None
    assert scene.value() == MARKER
    assert volume.voxels[scene.index_ijk()] == MARKER
    expected = volume.affine_ras @ [*scene.index_ijk(), 1]
    assert scene.point_ras_mm() == pytest.approx(expected[:3])


def test_voxels_are_a_view_and_keep_their_type(tmp_path: Path):
    scene = scene_of(write_scan(tmp_path / "scan.nii", "LPI"))
    assert scene.canonical.dtype == np.int16
    assert scene.volume is not None
    assert np.shares_memory(scene.canonical, scene.volume.voxels)


def test_listeners_hear_only_of_changes(tmp_path: Path):
    scene = scene_of(write_scan(tmp_path / "scan.nii"))
    heard: list[str] = []
    scene.listen(heard.append)
    scene.set_index(scene.index)
    scene.set_window(scene.window)
    assert heard == []
    scene.step(0, 1)
    scene.set_radiological(False)
    assert heard == ["cursor", "side"]


def test_time_points_stay_in_range():
    voxels = np.zeros((4, 4, 4, 3), np.int16)
    voxels[..., 2] = 7
    scene = Scene()
    scene.show(OpenedScan.prepare(volume_of(voxels)))
    scene.set_time(99)
    assert scene.time == 2
    assert scene.value() == 7


def test_the_slope_and_intercept_of_the_file_count():
    scene = Scene()
    scene.show(OpenedScan.prepare(volume_of(np.full((4, 4, 4), 10, np.int16), slope=2.0, intercept=-1024.0)))
    assert scene.value() == -1004


def test_the_first_window_spans_the_patient_and_leaves_air_black():
    values = np.zeros((20, 20, 20), np.float32)
    values[5:15, 5:15, 5:15] = np.linspace(200, 400, 1000).reshape(10, 10, 10)
    window = auto_window(values)
    assert 0 < window.low < 220
    assert 380 < window.high < 410


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
def test_a_scan_of_one_value_has_a_window(value: float):
    assert auto_window(np.full((4, 4, 4), value, np.float32)).width > 0


def test_a_ct_opens_with_a_window_of_the_field():
    volume = Volume(np.zeros((4, 4, 4), np.int16), np.eye(4), Source(Path("x"), "DICOM", modality="CT"))
    assert OpenedScan.prepare(volume).window == CT_PRESETS["Soft tissue"]


def test_grey_is_clipped_and_nan_is_black():
    window = WindowLevel(200, 100)
    grey = to_grey(np.array([[-50.0, 0.0, 100.0, 200.0, 900.0, np.nan]]), window, 1.0, 0.0)
    assert grey.tolist() == [[0, 0, 127, 255, 255, 0]]


def test_the_view_is_fitted_to_the_patient_not_to_the_air(tmp_path: Path):
    voxels = np.zeros((64, 64, 64), np.int16)
    voxels[16:48, 16:48, 16:48] = BODY
    content = OpenedScan.prepare(volume_of(voxels)).content
    assert all(8 <= first <= 16 and 47 <= last <= 56 for first, last in content)


@pytest.mark.parametrize("size", [2, 12])
def test_a_new_overlay_brings_the_cursor_into_its_largest_structure(tmp_path: Path, size: int):
    scene = scene_of(write_scan(tmp_path / "scan.nii", "LPS"))
    labels = np.zeros(scene.volume.grid_shape, np.uint8)
    labels[1, 1, 1] = 2
    labels[4 : 4 + size, 5 : 5 + size, 3 : 3 + size] = 1
    scene.set_overlay(Overlay(labels, [], {}))
    scene.go_to_overlay()
    assert scene.structure() == 1
    at = scene.index
    scene.go_to_overlay()
    assert scene.index == at


def test_an_empty_overlay_leaves_the_cursor_alone(tmp_path: Path):
    scene = scene_of(write_scan(tmp_path / "scan.nii", "RAS"))
    before = scene.index
    scene.set_overlay(Overlay(np.zeros(scene.volume.grid_shape, np.uint8), [], {}))
    scene.go_to_overlay()
    assert scene.index == before
