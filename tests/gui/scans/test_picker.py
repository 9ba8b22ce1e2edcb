"""Choosing among the series of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from gui.main_window import MainWindow
from gui.scans.picker import SeriesPicker
from gui.scans.recent import recent
from gui.viewer.gl_probe import GlReport
from tests.core.imaging.conftest import PATIENT, SeriesMaker, make_series
from tests.gui.making import write_scan

__all__ = ["make_series"]
WAIT = 10_000


@pytest.fixture(autouse=True)
def no_3d(monkeypatch: pytest.MonkeyPatch):
    none = GlReport(False, problem="not wanted in this test")
    monkeypatch.setattr("gui.viewer.gl_probe.remembered", lambda _settings: none)


@pytest.fixture
def window(window: MainWindow):
    yield window
    window.close()


@pytest.fixture
def tree(make_series: SeriesMaker, tmp_path: Path) -> Path:
    """Two series of one frame of reference, and a NIfTI file."""
    make_series(range(0, 24, 2), folder="tree", SeriesDescription="Head thin", StudyDate="20240301")
    make_series(range(0, 24, 3), folder="tree", names=list("abcdefgh"), SeriesInstanceUID="1.2.4", SeriesNumber=3)
    write_scan(tmp_path / "tree" / "head.nii")
    return tmp_path / "tree"


@pytest.fixture
def picker(qtbot: object, window: MainWindow, tree: Path) -> SeriesPicker:
    window.open_paths([tree])
    qtbot.waitUntil(lambda: window.scans.choosing, timeout=WAIT)
    found = window.findChild(SeriesPicker, "series-picker")
    assert found is not None
    return found


def cell(picker: SeriesPicker, row: int, column: int) -> str:
    return picker.model.index(row, column).data()


def test_a_folder_of_several_series_offers_them_with_their_facts_and_pictures(qtbot: object, picker: SeriesPicker):
    assert [cell(picker, row, 0).split("\n")[0] for row in range(3)] == ["Head thin", "CT 3 (8 images)", "head"]
    assert [cell(picker, 0, n) for n in range(1, 6)] == ["CT", "12", "5 × 6", "0.8 × 0.7 × 2 mm", "2024-03-01"]
    assert picker.selected == picker.model.choices[:1]
    assert picker.table.hasFocus()
    qtbot.waitUntil(lambda: picker.model.pictures_made() == 3, timeout=WAIT)
    assert [cell(picker, 2, n) for n in (2, 3, 4)] == ["24", "32 × 40", "2 mm"]


def test_several_are_opened_by_keyboard_and_keep_their_series(qtbot: object, window: MainWindow, picker: SeriesPicker):
    qtbot.keyClick(picker.table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert picker.open_button.text() == "Open 2 scans"
    qtbot.keyClick(picker.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(window.scans.open_scans) == 2, timeout=WAIT)
    assert {scan.opened.volume.source.series for scan in window.scans.open_scans} == {"1.2.3", "1.2.4"}
    assert {scan.opened.volume.shape[2] for scan in window.scans.open_scans} == {12, 8}
    assert {scan.series for scan in recent(window.context.settings)} == {"1.2.3", "1.2.4"}
    window.context.series_requested.emit(picker_path(window), "1.2.3")
    assert len(window.scans.open_scans) == 2
    assert window.scans.volume.source.series == "1.2.3"


def picker_path(window: MainWindow) -> Path:
    return window.scans.volume.source.path


def test_escape_goes_back_and_stops_the_pictures(qtbot: object, window: MainWindow, picker: SeriesPicker):
    qtbot.keyClick(picker.table, Qt.Key.Key_Escape)
    assert window.scans.currentWidget() is window.scans.welcome
    assert picker.model.choices == []
    assert window.scans.volume is None


def test_cancelling_with_a_scan_open_shows_that_scan_again(
    qtbot: object, window: MainWindow, tree: Path, tmp_path: Path
):
    window.open_paths([write_scan(tmp_path / "first.nii")])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    window.open_paths([tree])
    qtbot.waitUntil(lambda: window.scans.choosing, timeout=WAIT)
    window.findChild(QWidget, "picker-cancel").click()
    assert window.scans.grid.isVisible()
    assert window.windowTitle() == "first – Isocenter"


def test_a_folder_of_one_series_opens_at_once(qtbot: object, window: MainWindow, make_series: SeriesMaker):
    window.open_paths([make_series(range(0, 24, 2))])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    assert not window.scans.choosing


def test_a_folder_with_one_file_in_it_opens_that_file(qtbot: object, window: MainWindow, tmp_path: Path):
    write_scan(tmp_path / "case" / "head.nii")
    window.open_paths([tmp_path / "case"])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    assert window.scans.volume.name == "head"


def test_many_slices_dropped_together_are_one_scan(qtbot: object, window: MainWindow, make_series: SeriesMaker):
    folder = make_series(range(0, 24, 2))
    window.open_paths(sorted(folder.iterdir()))
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    assert window.scans.volume.shape[2] == 12
    assert len(window.scans.open_scans) == 1


def test_the_cursor_stays_at_its_point_between_series_of_one_frame_of_reference(
    qtbot: object, window: MainWindow, picker: SeriesPicker
):
    picker.table.selectAll()
    picker.open_selected()
    qtbot.waitUntil(lambda: len(window.scans.open_scans) == 3, timeout=WAIT)
    places = {scan.opened.volume.source.series: n for n, scan in enumerate(window.scans.open_scans)}
    window.scans.bring_to_front(places["1.2.3"])
    scene = window.scans.scene
    scene.set_index((2, 3, 6))
    there = scene.point_ras_mm()
    window.scans.bring_to_front(places["1.2.4"])
    assert scene.point_ras_mm().tolist() == pytest.approx(there.tolist())
    window.scans.bring_to_front(places[""])  # another space: where its own cursor was
    assert scene.index != (2, 3, 6)


def test_nothing_of_the_patient_is_shown_or_kept(qtbot: object, window: MainWindow, picker: SeriesPicker):
    shown = [cell(picker, row, column) for row in range(3) for column in range(6)]
    picker.open_selected()
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=WAIT)
    window.context.settings.sync()
    kept = Path(window.context.settings.fileName()).read_text()
    assert "1.2.3" in kept
    assert not [text for text in shown if PATIENT in text]
    assert PATIENT not in kept and "Head thin" not in kept and "2024-03-01" not in kept
