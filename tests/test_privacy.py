"""Patient fields of a DICOM header stay in the DICOM files: nothing that the program writes or shows has them."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QLineEdit, QListWidget, QWidget

from gui.main_window import MainWindow
from tests.core.imaging.conftest import make_slice
from tests.gui.conftest import app_context, dark, window  # noqa: F401
from tests.gui.predict.making import make_package

CHECKOUT = Path(__file__).resolve().parents[1]
TOKEN = "Zq8secret"
BIRTH = "19530427"
# Free text of the scanner tells series apart on the screen; it too is never stored, and in no window's title.
SCREEN_ONLY = "Wk5screen"
FIELDS = (
    "PatientID", "OtherPatientIDs", "PatientAddress", "PatientComments", "InstitutionName", "ReferringPhysicianName",
    "OperatorsName", "AccessionNumber", "StudyDescription", "ProtocolName", "ImageComments",
    "StudyID", "StationName", "RequestingPhysician",
)  # fmt: skip


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A blob in noise whose headers name the patient wherever they can, in damaged values too."""
    folder = tmp_path / "series"
    folder.mkdir()
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in (16, 18, 20)), indexing="ij"))
    blob = 800 * np.exp(-4 * (grid**2).sum(axis=0)) + np.random.default_rng(0).normal(0, 30, grid.shape[1:])
    for k, pixels in enumerate(blob):
        dataset = make_slice((-9, -9, 1.1 * k), k + 1, pixels, PixelSpacing=[1, 1], SliceThickness=1.1)
        for name in FIELDS:
            setattr(dataset, name, TOKEN)
        dataset.PatientName = TOKEN  # of one part, which highdicom warns of, naming it
        dataset.PatientBirthDate = BIRTH
        dataset.SeriesDescription = SCREEN_ONLY
        dataset.SpecificCharacterSet = TOKEN  # which pydicom warns of, naming it
        dataset.private_block(0x0029, TOKEN, create=True).add_new(1, "LO", TOKEN)
        with pydicom.config.disable_value_validation():
            broken = pydicom.DataElement(0x00200012, "LO", TOKEN)  # AcquisitionNumber: of a wrong kind, and no number
            dataset.add(broken)
            dataset.save_as(folder / f"{k:03}.dcm", enforce_file_format=True)
    return folder


def check_bytes(content: bytes, where: object, *, on_screen: bool = False) -> None:
    """On the screen the series' own description may stand; patient fields nowhere."""
    for secret in (TOKEN, BIRTH, TOKEN.upper(), TOKEN.lower(), *([] if on_screen else [SCREEN_ONLY])):
        for coded in (secret.encode(), secret.encode("utf-16-le")):
            assert coded not in content, where


def check_files(*folders: Path) -> int:
    """No file below these folders holds a patient field, packed or not; how many there were."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        check_bytes(content, path)
        if content.startswith(b"\x1f\x8b"):
            check_bytes(gzip.decompress(content), path)
        check_bytes(path.name.encode(), path)
    return len(files)


def test_no_command_writes_or_prints_patient_fields(series: Path, tmp_path: Path, isocenter_home: Path):
    make_package(isocenter_home)
    out = tmp_path / "out"
    own = tmp_path / "own"  # a DICOM segmentation is the patient's, as its series is
    out.mkdir()
    own.mkdir()
    seg = out / "series_seg.nii.gz"
    commands = (
        ["info", series], ["info", series, "--json"], ["convert", series, out / "scan.nii.gz"],
        ["convert", series, out / "scan.nrrd"], ["predict", series, "--model", "tiny", "--out", out, "--json"],
        ["export", seg, out / "seg.stl"], ["export", seg, own / "seg.dcm"], ["anonymise", series, out / "clean"],
        ["snapshot", series, out / "views.png", "--overlay", seg],
    )  # fmt: skip
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "gui", *map(str, command)], cwd=CHECKOUT, capture_output=True, check=False,
            timeout=300, env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )  # fmt: skip
        assert done.returncode == 0, (command[0], done.stderr.decode()[-2000:])
        check_bytes(done.stdout + done.stderr, command)
    assert (isocenter_home / "catalog.sqlite").is_file()
    assert check_files(isocenter_home, out) > 20


def test_an_unreadable_series_is_refused_without_naming_its_patient(series: Path):
    for path in sorted(series.iterdir())[3:5]:
        dataset = pydicom.dcmread(path)
        dataset.PixelSpacing = [1, 2]
        dataset.save_as(path)
    done = subprocess.run(
        [sys.executable, "-m", "gui", "info", str(series)], cwd=CHECKOUT, capture_output=True, check=False,
        timeout=120, env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    assert done.returncode == 2
    check_bytes(done.stdout + done.stderr, "info")


def texts(window: MainWindow) -> list[str]:  # noqa: F811
    """Every text that the window shows or tells a screen reader."""
    found = [window.windowTitle()]
    for widget in window.findChildren(QWidget):
        found += [widget.toolTip(), widget.accessibleName(), widget.accessibleDescription(), widget.windowTitle()]
        if isinstance(widget, QLabel | QLineEdit):
            found.append(widget.text())
        if isinstance(widget, QListWidget):
            found += [widget.item(row).text() for row in range(widget.count())]
    return found + [action.text() for action in window.findChildren(QAction)]


def test_the_window_shows_and_keeps_no_patient_fields(
    qtbot, window: MainWindow, series: Path, tmp_path: Path, isocenter_home: Path, monkeypatch  # noqa: F811
):  # fmt: skip
    from gui.viewer.gl_probe import GlReport

    none = GlReport(False, problem="not wanted in this test")
    monkeypatch.setattr("gui.viewer.gl_probe.remembered", lambda _settings: none)
    window.open_paths([series])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=20_000)
    window.context.settings.sync()
    shown = texts(window)
    assert any("series" in text for text in shown)
    for text in shown:
        check_bytes(text.encode(), text, on_screen=True)
    check_bytes(window.windowTitle().encode(), "title")
    picture = tmp_path / "picture.png"
    window.scans.grid.picture().save(str(picture), "PNG")
    check_bytes(picture.read_bytes(), picture)
    check_bytes((tmp_path / "settings.ini").read_bytes(), "settings")
    check_files(isocenter_home)
    window.close()
