"""A long compressed scan is shown while it is still being decoded, and nothing is offered for it until it is whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from core.control import JobControl
from core.imaging import payload
from gui.main_window import MainWindow
from gui.viewer.gl_probe import GlReport
from tests.gui.making import BODY, SHAPE_RAS, voxels_ras, write_scan

WAIT = 10_000
SLICE = SHAPE_RAS[0] * SHAPE_RAS[1] * 2


@pytest.fixture(autouse=True)
def no_3d(monkeypatch: pytest.MonkeyPatch):
    none = GlReport(False, problem="not wanted in this test")
    monkeypatch.setattr("gui.viewer.gl_probe.remembered", lambda _settings: none)


@pytest.fixture
def window(window: MainWindow) -> Iterator[MainWindow]:
    yield window
    window.close()


class Gate:
    """Holds the reading of a file once so much of it is decoded."""

    def __init__(self) -> None:
        self.at = 0.5
        self._open = threading.Event()

    def let_go(self) -> None:
        self._open.set()

    def wait(self, control: JobControl, fraction: float | None, message: str) -> None:
        if fraction is not None and message.startswith("Reading") and fraction >= self.at:
            while fraction >= self.at and not self._open.wait(0.01):
                control.check()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Files are read in pieces of a slice, handed over after four, and stand still in the middle until let go."""
    monkeypatch.setattr(payload, "_PIECE", SLICE)
    monkeypatch.setattr(payload, "EARLY_BYTES", 4 * SLICE)
    gate, progress = Gate(), JobControl.progress

    def slowed(control: JobControl, fraction: float | None, message: str) -> None:
        progress(control, fraction, message)
        gate.wait(control, fraction, message)

    monkeypatch.setattr(JobControl, "progress", slowed)
    yield gate
    gate.let_go()


def arriving(window: MainWindow) -> bool:
    return window.scans.grid is not None and window.scans.scene.arriving is not None


def half_there(window: MainWindow) -> bool:
    return arriving(window) and window.scans.scene.arriving.partial.fraction >= 0.5


def picture(window: MainWindow, name: str) -> QImage:
    return window.findChild(QWidget, f"view-{name}").grab().toImage()


def test_decoded_slices_are_seen_and_the_rest_is_hatched_until_the_whole_scan_takes_their_place(
    qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path
):
    window.open_paths([write_scan(tmp_path / "head.nii.gz")])
    qtbot.waitUntil(lambda: half_there(window), timeout=WAIT)
    scans, scene = window.scans, window.scans.scene
    assert window.findChild(QWidget, "open-name").text() == "head"
    assert scans.grid.isVisible()
    coronal = scans.grid.slices[1]
    there, absent = (coronal.index_to_screen((12, 20, k)).toPoint() for k in (8, 18))
    image = coronal.grab().toImage()
    seen = {image.pixel(absent + QPoint(x, 0)) for x in range(-8, 9)}
    assert image.pixelColor(there).red() > 60
    assert image.pixelColor(there).red() == image.pixelColor(there).blue()
    assert len(seen) > 1  # lines and the ground between them
    gate.let_go()
    qtbot.waitUntil(lambda: scans.volume is not None, timeout=WAIT)
    assert scene.arriving is None
    np.testing.assert_array_equal(scans.volume.voxels, voxels_ras())
    assert len({coronal.grab().toImage().pixel(absent + QPoint(x, 0)) for x in range(-8, 9)}) == 1


@pytest.mark.parametrize(("codes", "axis"), [("RAS", 2), ("LPI", 2), ("SAL", 0), ("RIA", 1), ("ASR", 0)])
def test_each_voxel_order_fills_along_its_own_axis_and_begins_with_slices_that_are_there(
    qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path, codes: str, axis: int
):
    gate.at = 0.3
    window.open_paths([write_scan(tmp_path / "head.nii.gz", codes)])
    qtbot.waitUntil(lambda: arriving(window), timeout=WAIT)
    scene = window.scans.scene
    assert scene.arriving.axis == axis
    assert scene.shape == SHAPE_RAS
    voxels, first = scene.arriving.there(0)
    part = [slice(None)] * 3
    part[axis] = slice(first, first + voxels.shape[axis])
    np.testing.assert_array_equal(voxels, voxels_ras()[tuple(part)])
    assert first <= scene.index[axis] < first + voxels.shape[axis]
    for view in window.scans.grid.slices:
        assert box_of(view) == expected(scene, view, first, first + voxels.shape[axis])


def box_of(view: object) -> tuple[int, int, int, int]:
    image, left, top = view._pictures.arriving()
    return left, top, left + image.width(), top + image.height()


def expected(scene: object, view: object, first: int, last: int) -> tuple[int, int, int, int]:
    """The picture coordinates of the canonical box that is there, corner by corner."""
    low, high = [0, 0, 0], [n - 1 for n in scene.shape]
    low[scene.arriving.axis], high[scene.arriving.axis] = first, last - 1
    corners = [view.plane.to_picture(np.array(corner), scene.shape, scene.radiological) for corner in (low, high)]
    columns, rows = zip(*corners, strict=True)
    return int(min(columns)), int(min(rows)), int(max(columns)) + 1, int(max(rows)) + 1


def test_nothing_is_offered_for_a_scan_that_is_not_whole(qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path):
    window.open_paths([write_scan(tmp_path / "head.nii.gz")])
    qtbot.waitUntil(lambda: half_there(window), timeout=WAIT)
    scans, scene = window.scans, window.scans.scene
    assert scans.volume is None
    assert scans.open_scans == []
    assert scene.volume is None
    assert not window.findChild(QWidget, "predict-button").isEnabled()
    scene.set_tool("measure")
    view = scans.grid.slices[0]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.mouseMove(view, QPoint(180, 160))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(180, 160))
    window.actions_.save_picture.trigger()
    assert "Open a scan first" in window.notice.text
    gate.let_go()
    qtbot.waitUntil(lambda: scans.volume is not None, timeout=WAIT)
    assert not scene.lines.all


def test_the_cursor_goes_along_with_the_newest_slice_to_the_middle_until_its_user_takes_hold_of_it(
    qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path
):
    gate.at = 0.3
    window.open_paths([write_scan(tmp_path / "head.nii.gz")])
    qtbot.waitUntil(lambda: arriving(window) and window.scans.scene.arriving.partial.fraction >= 0.3, timeout=WAIT)
    scene = window.scans.scene
    scene.more_arrived()
    newest = scene.arriving.partial.slices().shape[2] - 1
    assert scene.index == (16, 20, newest)
    assert newest < 12
    scene.arriving.partial.filling.count = scene.arriving.partial.filling.numbers.size * 3 // 4
    scene.more_arrived()
    assert scene.index == (16, 20, 12)
    scene.set_index((5, 6, 7))
    scene.more_arrived()
    assert scene.index == (5, 6, 7)


def test_the_window_is_chosen_anew_when_more_than_air_is_there(
    qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path
):
    voxels = np.random.default_rng(0).integers(0, 4, SHAPE_RAS).astype(np.int16)
    voxels[..., 8:] += voxels_ras()[..., 8:]
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / "head.nii.gz")
    gate.at = 0.2
    window.open_paths([tmp_path / "head.nii.gz"])
    qtbot.waitUntil(lambda: arriving(window), timeout=WAIT)
    assert window.scans.scene.window.high < 10
    gate.at = 0.9
    qtbot.waitUntil(lambda: window.scans.scene.window.high > BODY / 2, timeout=WAIT)
    assert arriving(window)


def test_what_its_user_set_meanwhile_stays_and_the_rest_is_as_a_scan_opens(
    qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path
):
    window.open_paths([write_scan(tmp_path / "head.nii.gz")])
    qtbot.waitUntil(lambda: half_there(window), timeout=WAIT)
    scene = window.scans.scene
    scene.set_index((5, 6, 7))
    gate.let_go()
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    assert scene.index == (5, 6, 7)
    assert scene.window == scene.opened.window


@pytest.mark.parametrize("damage", ["cut", "checksum"])
def test_the_half_picture_of_a_damaged_file_is_taken_away_and_the_error_named(
    qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path, damage: str
):
    noise = np.random.default_rng(0).integers(0, BODY, SHAPE_RAS).astype(np.int16)
    path = tmp_path / "damaged.nii.gz"
    nib.save(nib.Nifti1Image(noise, np.eye(4)), path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4] if damage == "cut" else data[:-8] + b"\1\2\3\4" + data[-4:])
    window.open_paths([path])
    qtbot.waitUntil(lambda: half_there(window), timeout=WAIT)
    gate.let_go()
    qtbot.waitUntil(lambda: "damaged.nii.gz" in window.notice.text, timeout=WAIT)
    assert not arriving(window)
    assert window.scans.currentWidget() is window.scans.welcome
    assert window.scans.volume is None


def test_cancel_brings_back_the_scan_that_was_in_front(qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path):
    window.open_paths([write_scan(tmp_path / "before.nii")])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    before, scene = window.scans.volume, window.scans.scene
    scene.set_index((3, 4, 5))
    window.open_paths([write_scan(tmp_path / "head.nii.gz")])
    qtbot.waitUntil(lambda: half_there(window), timeout=WAIT)
    assert window.scans.volume is None
    window.job_line.job.cancel()
    assert not arriving(window)
    assert window.scans.volume is before
    assert scene.volume is before
    assert scene.index == (3, 4, 5)


def test_closing_the_arriving_scan_stops_its_reading(qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path):
    window.open_paths([write_scan(tmp_path / "head.nii.gz")])
    qtbot.waitUntil(lambda: half_there(window), timeout=WAIT)
    window.scans.close_scan()
    assert not arriving(window)
    assert window.scans.currentWidget() is window.scans.welcome
    assert window.job_line.job is None


def test_another_scan_can_be_looked_at_meanwhile(qtbot: object, window: MainWindow, gate: Gate, tmp_path: Path):
    window.open_paths([write_scan(tmp_path / "before.nii")])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    window.open_paths([write_scan(tmp_path / "head.nii.gz")])
    qtbot.waitUntil(lambda: half_there(window), timeout=WAIT)
    window.scans.bring_to_front(0)
    assert window.scans.volume.name == "before"
    assert not arriving(window)
    gate.let_go()
    qtbot.waitUntil(lambda: len(window.scans.open_scans) == 2, timeout=WAIT)
    assert window.scans.volume.name == "head"
