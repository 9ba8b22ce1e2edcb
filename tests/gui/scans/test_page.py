"""Opening, switching and closing scans."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QSlider, QWidget

from gui.main_window import MainWindow
from gui.predict.stored import Overlay
from gui.scans.recent import recent
from gui.viewer.gl_probe import GlReport
from tests.gui.making import MARKER_RAS, affine_ras, voxels_ras, write_scan

WAIT = 10_000


@pytest.fixture(autouse=True)
def no_3d(monkeypatch: pytest.MonkeyPatch):
    """The 3D view has tests of its own; here it costs time."""
    none = GlReport(False, problem="not wanted in this test")
    monkeypatch.setattr("gui.viewer.gl_probe.remembered", lambda _settings: none)


@pytest.fixture
def window(window: MainWindow) -> MainWindow:
    yield window
    window.close()


def drop(window: MainWindow, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where, copy = QPointF(300, 300), Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(where.toPoint(), copy, data, buttons, keys)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(where, copy, data, buttons, keys))


def test_a_dropped_scan_opens(qtbot: object, window: MainWindow, tmp_path: Path):
    drop(window, write_scan(tmp_path / "head.nii.gz", "LPS"))
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    assert window.windowTitle() == "head – Isocenter"
    assert window.scans.grid is not None
    assert window.scans.grid.isVisible()
    assert [scan.path.name for scan in recent(window.context.settings)] == ["head.nii.gz"]


def test_several_dropped_scans_open_and_can_be_switched(qtbot: object, window: MainWindow, tmp_path: Path):
    drop(window, *(write_scan(tmp_path / f"{name}.nii") for name in "abc"))
    qtbot.waitUntil(lambda: len(window.scans.open_scans) == 3, timeout=WAIT)
    window.scans.scene.set_index(MARKER_RAS)
    first = window.scans.front
    other = (first + 1) % 3
    window.scans.bring_to_front(other)
    assert window.scans.scene.volume is window.scans.open_scans[other].opened.volume
    window.scans.bring_to_front(first)
    assert window.scans.scene.index == MARKER_RAS


def test_a_scan_dropped_twice_is_opened_once(qtbot: object, window: MainWindow, tmp_path: Path):
    path = write_scan(tmp_path / "head.nii")
    drop(window, path, path)
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    drop(window, path)
    assert len(window.scans.open_scans) == 1


@pytest.mark.parametrize(
    ("name", "content"), [("notes.md", b"no scan at all"), ("empty.nii", b""), ("short.nii.gz", b"\x1f\x8b\x08")]
)
def test_what_is_no_scan_becomes_a_notice_that_names_it(
    qtbot: object, window: MainWindow, tmp_path: Path, name: str, content: bytes
):
    path = tmp_path / name
    path.write_bytes(content)
    drop(window, path)
    qtbot.waitUntil(lambda: name in window.notice.text, timeout=WAIT)
    assert window.scans.volume is None


def test_an_empty_folder_becomes_a_notice(qtbot: object, window: MainWindow, tmp_path: Path):
    (tmp_path / "nothing").mkdir()
    drop(window, tmp_path / "nothing")
    qtbot.waitUntil(lambda: "nothing" in window.notice.text, timeout=WAIT)


def test_a_link_dropped_from_a_browser_is_refused_in_words(window: MainWindow):
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/scan.nii")])
    keys = Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, keys))
    assert "this computer" in window.notice.text


def test_closing_the_last_scan_brings_the_welcome_page_with_the_scan_under_recent(
    qtbot: object, window: MainWindow, tmp_path: Path
):
    drop(window, write_scan(tmp_path / "head.nii"))
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    window.scans.close_scan()
    assert window.scans.currentWidget() is window.scans.welcome
    assert window.findChild(QWidget, "recent-0") is not None


def test_a_segmentation_from_the_panel_gets_layers_with_switches(qtbot: object, window: MainWindow, tmp_path: Path):
    drop(window, write_scan(tmp_path / "head.nii"))
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    labels = (np.asarray(window.scans.volume.voxels) > 900).astype(np.uint8)
    panel = window.scans.predict_panel
    panel.overlay_ready.emit(Overlay(labels, [{"label": 1, "name": "Marker"}]))
    scene = window.scans.scene
    scene.set_index(MARKER_RAS)
    assert window.findChild(QWidget, "structure-at-cursor").text() == "Marker"
    window.findChild(QWidget, "structure-1").setChecked(False)
    assert scene.overlay.hidden == {1}
    window.findChild(QSlider, "opacity-segmentation").setValue(80)
    assert scene.overlay.opacity == 0.8
    window.actions_.overlay.trigger()
    assert not scene.overlay.shown
    panel.overlay_ready.emit(None)
    assert scene.overlay is None


def test_a_segmentation_lies_over_the_volume_it_was_made_on_and_over_no_other(
    qtbot: object, window: MainWindow, tmp_path: Path
):
    still = voxels_ras()
    moving = np.stack([still, np.roll(still, 6, axis=0), np.roll(still, 12, axis=0)], axis=3)
    nib.save(nib.Nifti1Image(moving, affine_ras()), tmp_path / "moving.nii")
    drop(window, tmp_path / "moving.nii")
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    scene, view = window.scans.scene, window.scans.grid.slices[0]
    labels = (still > 900).astype(np.uint8)
    made = Overlay(labels, [{"label": 1, "name": "Marker"}], np.full(labels.shape, 200, np.uint8), time=0)
    window.scans.predict_panel.overlay_ready.emit(made)
    scene.show_uncertainty(True)
    slider, told = window.findChild(QSlider, "time-slider"), window.findChild(QWidget, "overlay-elsewhere")
    assert scene.structure() == 1
    assert told.isHidden()
    over = view.grab().toImage()
    slider.setValue(1)
    assert scene.structure() == 0
    assert told.isVisible()
    assert told.text() == "Segmentation: of time 1"
    bare = view.grab().toImage()
    window.scans.predict_panel.overlay_ready.emit(None)
    slider.setValue(1)
    assert view.grab().toImage() == bare  # neither structures nor uncertainty were drawn
    window.scans.predict_panel.overlay_ready.emit(made)
    assert scene.time == slider.value() == 0
    slider.setValue(2)
    window.findChild(QWidget, "to-overlay-time").click()
    assert scene.time == slider.value() == 0
    assert told.isHidden()
    scene.show_uncertainty(True)
    assert view.grab().toImage() == over


def test_reading_can_be_cancelled(qtbot: object, window: MainWindow, tmp_path: Path):
    path = write_scan(tmp_path / "head.nii.gz")
    window.open_paths([path])
    job = window.job_line.job
    assert job is not None
    job.cancel()
    assert window.job_line.job is None
    window.open_paths([path])  # and asked for again
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    assert len(window.scans.open_scans) == 1


def test_real_scans_open_the_right_way_up(qtbot: object, window: MainWindow, data_folder: Path):
    drop(window, data_folder / "icbm152" / "spm152.nii.gz", data_folder / "dicom_hippocrop" / "Study1_13_HCropVolume")
    qtbot.waitUntil(lambda: len(window.scans.open_scans) == 2, timeout=30_000)
    for place in range(2):
        window.scans.bring_to_front(place)
        directions = window.scans.scene.affine_ras[:3, :3]
        assert (np.diag(directions) > 0).all()
