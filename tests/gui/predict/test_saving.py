"""Saving a segmentation from the Predict panel as DICOM and as surfaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from core.imaging.reader import read
from gui.predict.saving import LABELS, SEG, SURFACES
from gui.predict.stored import Overlay
from tests.core.imaging.conftest import make_series  # noqa: F401
from tests.gui.predict.making import store_prediction


@pytest.fixture
def series(make_series):  # noqa: F811
    return read(make_series([2.0 * k for k in range(9)]))


def lay(qtbot, panel, context, volume, out):
    """A past prediction of the scan, laid over it."""
    row = store_prediction(context.catalog(), volume, out)
    panel._awaited = row
    with qtbot.waitSignal(panel.overlay_ready, timeout=10_000) as shown:
        panel.set_scan(volume)
    assert isinstance(shown.args[0], Overlay)
    return shown.args[0]


def offered(panel) -> list[str]:
    return [action.objectName() for action in panel.review.save_menu.actions() if action.isVisible()]


def save(qtbot, panel, context, way: str, target: Path, monkeypatch) -> tuple[str, str]:
    monkeypatch.setattr(panel.review, "ask_where", lambda _proposed, _way: target)
    (action,) = [a for a in panel.review.save_menu.actions() if a.objectName() == f"save-{way}"]
    with qtbot.waitSignal(context.notice, timeout=20_000) as told:
        action.trigger()
    return tuple(told.args)


def test_dicom_is_offered_for_a_dicom_series_only(qtbot, panel, context, scan, series, tmp_path):
    lay(qtbot, panel, context, scan, tmp_path / "one")
    assert offered(panel) == ["save-labels", "save-surfaces", "save-surfaces-each"]
    lay(qtbot, panel, context, series, tmp_path / "two")
    assert offered(panel) == ["save-labels", "save-seg", "save-surfaces", "save-surfaces-each"]


def test_a_dicom_segmentation_has_the_voxels_and_names_of_the_result(
    qtbot, panel, context, series, tmp_path, monkeypatch
):
    overlay = lay(qtbot, panel, context, series, tmp_path / "out")
    target = tmp_path / "saved" / "seg.dcm"
    target.parent.mkdir()
    level, said = save(qtbot, panel, context, "seg", target, monkeypatch)
    assert level == "ok", said
    made = pydicom.dcmread(target)
    assert [s.SegmentLabel for s in made.SegmentSequence] == ["Anterior, left", "Posterior, right"]
    assert made.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "tiny"
    assert made.pixel_array.sum() == np.count_nonzero(overlay.labels)
    assert context.settings.value("predict/save_folder") == str(target.parent)


def test_surfaces_are_one_file_or_one_each(qtbot, panel, context, scan, tmp_path, monkeypatch):
    lay(qtbot, panel, context, scan, tmp_path / "out")
    place = tmp_path / "saved"
    place.mkdir()
    assert save(qtbot, panel, context, "surfaces", place / "all.ply", monkeypatch)[0] == "ok"
    assert save(qtbot, panel, context, "surfaces-each", place / "one.stl", monkeypatch)[0] == "ok"
    names = {path.name for path in place.iterdir()}
    assert names == {"all.ply", "one_anterior_left.stl", "one_posterior_right.stl"}


def test_no_slice_of_the_series_is_written_over(qtbot, panel, context, series, tmp_path, monkeypatch):
    lay(qtbot, panel, context, series, tmp_path / "out")
    target = sorted(series.source.path.iterdir())[0]
    before = target.read_bytes()
    level, said = save(qtbot, panel, context, "seg", target, monkeypatch)
    assert level == "bad"
    assert "never written over" in said
    assert target.read_bytes() == before


def test_a_name_without_a_suffix_gets_that_of_the_chosen_kind():
    assert SURFACES.whole_name("/a/b", "OBJ (*.obj)") == Path("/a/b.obj")
    assert SURFACES.whole_name("/a/b.ply", "STL (*.stl)") == Path("/a/b.ply")
    assert LABELS.whole_name("/a/b.nii", "NIfTI (*.nii.gz *.nii)") == Path("/a/b.nii")
    assert LABELS.whole_name("/a/b", "") == Path("/a/b.nii.gz")
    assert SEG.whole_name("/a/b.c", "") == Path("/a/b.c.dcm")
