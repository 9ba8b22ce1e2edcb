"""The window's export without patient data."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from PySide6.QtCore import Qt

from core.imaging.reader import read
from gui.context import AppContext
from gui.scans.anonymise import AnonymiseDialog, export_without_patient_data
from tests.core.imaging.conftest import PATIENT, make_series  # noqa: F401
from tests.gui.making import write_scan

HEIGHTS = [2.0 * k for k in range(4)]


@pytest.fixture
def parent(qtbot, app_context: AppContext):
    from PySide6.QtWidgets import QWidget

    made = QWidget()
    qtbot.addWidget(made)
    return made


def asked(parent) -> AnonymiseDialog | None:
    return next((d for d in parent.findChildren(AnonymiseDialog) if d.isVisible()), None)


def test_a_series_is_exported_to_a_new_folder_beside_it(qtbot, app_context, parent, make_series, tmp_path):  # noqa: F811
    volume = read(make_series(HEIGHTS))
    dialog = export_without_patient_data(app_context, volume, parent)
    assert Path(dialog.folder.text()) == tmp_path / "without patient data"
    with qtbot.waitSignal(app_context.notice, timeout=20_000) as told:
        qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    assert told.args[0] == "ok"
    files = list((tmp_path / "without patient data").rglob("*.dcm"))
    assert len(files) == 4
    assert not [path for path in files if PATIENT.encode() in path.read_bytes()]
    again = export_without_patient_data(app_context, volume, parent)
    assert again.folder.text().endswith("without patient data 2")
    again.reject()


def test_pictures_that_may_name_the_patient_are_looked_at_first(qtbot, app_context, parent, make_series, tmp_path):  # noqa: F811
    volume = read(make_series(HEIGHTS, Modality="US"))
    dialog = export_without_patient_data(app_context, volume, parent)
    assert dialog.looked.isHidden()
    qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: asked(parent) is not None, timeout=20_000)
    assert not (tmp_path / "without patient data").exists()
    second = asked(parent)
    assert not second.export.isEnabled()
    second.looked.setChecked(True)
    with qtbot.waitSignal(app_context.notice, timeout=20_000) as told:
        qtbot.mouseClick(second.export, Qt.MouseButton.LeftButton)
    assert told.args[0] == "ok"
    made = next((tmp_path / "without patient data").rglob("*.dcm"))
    assert pydicom.dcmread(made).PatientIdentityRemoved == "YES"


def test_other_scans_say_why_there_is_nothing_to_do(qtbot, app_context, parent, tmp_path):
    volume = read(write_scan(tmp_path / "head.nii"))
    for given, says in ((volume, "no DICOM series"), (None, "Open a DICOM series first")):
        with qtbot.waitSignal(app_context.notice) as told:
            assert export_without_patient_data(app_context, given, parent) is None
        assert says in told.args[1]
