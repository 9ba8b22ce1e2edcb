"""Registering in the window: asked, done as a job, judged as a blend, undone by closing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QSlider

from core.imaging.reader import read
from core.imaging.registration.target import template_target
from core.imaging.writer import write_volume
from gui.main_window import MainWindow
from gui.scans.registered import remove_left_over
from gui.scans.registering import RegisterDialog
from gui.viewer.gl_probe import GlReport
from gui.viewer.pictures import SlicePictures
from gui.viewer.planes import AXIAL
from gui.viewer.scene import OpenedScan, Scene
from tests.gui.making import write_scan

WAIT = 60_000


@pytest.fixture(autouse=True)
def no_3d(monkeypatch: pytest.MonkeyPatch):
    """The 3D view has tests of its own; here it costs time."""
    none = GlReport(False, problem="not wanted in this test")
    monkeypatch.setattr("gui.viewer.gl_probe.remembered", lambda _settings: none)


@pytest.fixture
def window(window: MainWindow) -> MainWindow:
    yield window
    window.close()


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """The template's brain in 3 mm voxels, turned and shifted."""
    whole = template_target().volume
    angle = np.radians(12)
    move = np.eye(4)
    move[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    move[:3, 3] = (15, -10, 12)
    affine = move @ whole.affine_ras @ np.diag([3.0, 3.0, 3.0, 1.0])
    path = tmp_path / "turned.nii"
    write_volume(path, replace(whole, voxels=np.array(whole.voxels[::3, ::3, ::3]), affine_ras=affine))
    return path


def open_all(qtbot, window: MainWindow, *paths: Path) -> None:
    window.open_paths(list(paths))
    qtbot.waitUntil(lambda: len(window.scans.open_scans) == len(paths), timeout=WAIT)


def asked(window: MainWindow) -> RegisterDialog | None:
    return next((one for one in window.findChildren(RegisterDialog) if one.isVisible()), None)


def visible_labels(window: MainWindow) -> list[QLabel]:
    return [one for one in window.findChildren(QLabel) if one.isVisible()]


def test_a_scan_is_registered_to_the_template_shown_over_it_saved_and_undone(
    qtbot, window: MainWindow, head: Path, tmp_path: Path, isocenter_home: Path, monkeypatch: pytest.MonkeyPatch
):
    open_all(qtbot, window, head)
    window.actions_.to_template.trigger()
    dialog = asked(window)
    assert dialog is not None
    assert dialog.kind.currentText().startswith("Affine")
    qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(window.scans.open_scans) == 2, timeout=WAIT)

    scene = window.scans.scene
    assert window.scans.volume.title == "turned on template"
    assert scene.under.volume.title == "ICBM 152 template"
    assert scene.scan_opacity == 0.5
    qtbot.waitUntil(lambda: any("similarity 0.9" in one.text() for one in visible_labels(window)), timeout=WAIT)

    slider = window.findChild(QSlider, "opacity-scan")
    for opacity in (100, 0, 100):
        window.actions_.flicker.trigger()
        assert slider.value() == opacity

    out = tmp_path / "saved.nii.gz"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    with qtbot.waitSignal(window.context.notice, timeout=WAIT) as told:
        window.actions_.save_registered.trigger()
    assert told.args[0] == "ok"
    assert read(out).shape == template_target().volume.shape
    assert (tmp_path / "saved.tfm").is_file()

    assert len(list((isocenter_home / "registered").iterdir())) == 1
    window.scans.close_scan()
    assert window.scans.volume.title == "turned"
    assert list((isocenter_home / "registered").iterdir()) == []
    assert window.scans.scene.scan_opacity == 1.0


def test_cancelling_leaves_nothing(qtbot, window: MainWindow, head: Path, isocenter_home: Path):
    open_all(qtbot, window, head)
    window.actions_.to_template.trigger()
    qtbot.mouseClick(asked(window).start, Qt.MouseButton.LeftButton)
    job = next(job for job in window.context.jobs.jobs if job.title.startswith("Registering"))
    qtbot.waitUntil(lambda: bool(job.message), timeout=WAIT)
    job.cancel()
    assert job.state == "cancelled"
    assert window.context.jobs.shutdown(5)
    assert len(window.scans.open_scans) == 1
    assert not (isocenter_home / "registered").exists()


def test_a_scan_that_does_not_fit_is_refused_in_words(qtbot, window: MainWindow, tmp_path: Path):
    open_all(qtbot, window, write_scan(tmp_path / "box.nii"))
    window.actions_.to_template.trigger()
    with qtbot.waitSignal(window.context.notice, timeout=WAIT) as told:
        qtbot.mouseClick(asked(window).start, Qt.MouseButton.LeftButton)
    assert told.args[0] == "bad"
    assert "template" in told.args[1]
    assert len(window.scans.open_scans) == 1


def test_it_says_what_is_missing(qtbot, window: MainWindow, head: Path):
    for action, words in (
        (window.actions_.to_template, "Open a scan first"),
        (window.actions_.save_registered, "first"),
    ):
        with qtbot.waitSignal(window.context.notice) as told:
            action.trigger()
        assert words in told.args[1]
    open_all(qtbot, window, head)
    with qtbot.waitSignal(window.context.notice) as told:
        window.actions_.to_scan.trigger()
    assert "Open the other scan too" in told.args[1]


def test_another_open_scan_can_be_chosen_rigidly_at_first(qtbot, window: MainWindow, tmp_path: Path):
    open_all(qtbot, window, *(write_scan(tmp_path / f"{name}.nii") for name in "ab"))
    window.actions_.to_scan.trigger()
    dialog = asked(window)
    other = next(scan for scan in window.scans.open_scans if scan is not window.scans.front_scan).opened.volume
    assert dialog.target.currentText() == other.title
    assert dialog.kind.currentText().startswith("Rigid")
    dialog.register_requested.disconnect()  # here it is only asked
    with qtbot.waitSignal(dialog.register_requested) as requested:
        qtbot.mouseClick(dialog.start, Qt.MouseButton.LeftButton)
    assert requested.args == [other, "rigid"]


def test_the_scan_beneath_is_turned_as_the_one_above(tmp_path: Path):
    volume = read(write_scan(tmp_path / "lps.nii", "LPS"))
    below = replace(volume, voxels=volume.voxels * 2)
    scene = Scene()
    scene.show(OpenedScan.prepare(volume, below))
    scene.set_index((25, 20, 12))
    pictures = SlicePictures(scene, AXIAL)
    above, under = pictures.grey(), pictures.under()
    assert under is not None
    assert (under.width(), under.height()) == (above.width(), above.height())
    brightest = [divmod(int(np.frombuffer(p.constBits(), np.uint8).argmax()), p.bytesPerLine()) for p in (above, under)]
    assert brightest[0] == brightest[1]
    with pytest.raises(ValueError, match="same grid"):
        OpenedScan.prepare(volume, replace(volume, voxels=volume.voxels[:-1]))


def test_what_a_crash_left_is_removed_and_what_is_open_stays(isocenter_home: Path):
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        pass
    above = isocenter_home / "registered"
    for name in (f"{gone.pid}-left", "unnamed", f"{os.getpid()}-open"):
        (above / name).mkdir(parents=True)
        (above / name / "scan.nii").write_bytes(b"voxels")
    remove_left_over()
    assert [folder.name for folder in above.iterdir()] == [f"{os.getpid()}-open"]
