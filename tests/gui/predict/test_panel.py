"""The panel beside the scan."""

from __future__ import annotations

import time

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from core.catalog import PredictionRow
from core.imaging.reader import read
from core.imaging.volume import Volume
from gui.context import AppContext
from gui.predict.panel import ON_DROP_KEY, PredictPanel
from gui.predict.stored import Overlay
from tests.gui.predict.making import make_package, make_scan

PREDICTED_MS = 30_000


def predict(qtbot, panel: PredictPanel, scan: Volume) -> Overlay:
    if panel._volume is not scan:
        panel.set_scan(scan)
    qtbot.waitUntil(lambda: panel.can_predict)
    with qtbot.waitSignal(panel.overlay_ready, timeout=PREDICTED_MS, check_params_cb=lambda o: o is not None) as ready:
        qtbot.mouseClick(panel.predict_button, Qt.MouseButton.LeftButton)
    return ready.args[0]


def show(qtbot, panel: PredictPanel, scan: Volume, row: PredictionRow) -> Overlay:
    """Open a past prediction over its scan."""
    panel.set_scan(scan)
    with qtbot.waitSignal(panel.overlay_ready, timeout=10_000) as ready:
        panel.open_prediction(row.id)
    return ready.args[0]


def only_row(context: AppContext) -> PredictionRow:
    (row,) = context.catalog().predictions()
    return row


def test_a_prediction_lies_over_the_scan_and_is_in_the_catalog(qtbot, panel, context, scan) -> None:
    with qtbot.waitSignal(context.predictions_changed, timeout=PREDICTED_MS):
        overlay = predict(qtbot, panel, scan)
    assert overlay.labels.shape == scan.grid_shape
    assert [s["name"] for s in overlay.structures] == ["Anterior, left", "Posterior, right"]
    row = only_row(context)
    assert (row.scan, row.model, row.structures) == (scan.source.path, "tiny", overlay.structures)
    assert row.output.is_file()
    table = panel.results.table
    assert table.item(0, 1).text() == f"{overlay.structures[0]['volume_ml']:.2f}"
    assert [table.item(at, 0).text() for at in (2, 3, 4)] == ["Total, left", "Total, right", "Total"]
    assert panel.review.save_button.isVisible()
    assert "Research use only" in panel.findChild(object, "research-only").text()


def test_of_a_scan_over_time_the_shown_volume_is_predicted_and_comes_back(qtbot, panel, context, tmp_path) -> None:
    first, second = (read(make_scan(tmp_path / f"{n}.nii.gz", seed=n)) for n in (1, 2))
    both = np.stack([first.voxels, second.voxels], axis=-1)
    nib.save(nib.Nifti1Image(both, first.affine_ras), tmp_path / "over_time.nii.gz")
    scan = read(tmp_path / "over_time.nii.gz")
    panel.set_scan(scan)
    qtbot.waitUntil(lambda: panel.can_predict)
    assert panel.predict_button.text() == "Predict time 1"
    panel.set_time(1)
    assert panel.predict_button.text() == "Predict time 2"
    with qtbot.waitSignal(panel.overlay_ready, timeout=PREDICTED_MS) as ready:
        panel.predict()
    row = only_row(context)
    assert (row.given, row.output.name) == ({"time": 1}, "over_time_t2_seg.nii.gz")
    assert ready.args[0].time == 1 and ready.args[0].labels.shape == scan.grid_shape
    alone = predict(qtbot, panel, second)
    assert np.array_equal(alone.labels, ready.args[0].labels)


def test_volumes_are_those_of_the_labels(qtbot, panel, scan) -> None:
    overlay = predict(qtbot, panel, scan)
    voxel_ml = abs(np.linalg.det(scan.affine_ras[:3, :3])) / 1000
    for structure in overlay.structures:
        assert structure["volume_ml"] == pytest.approx(
            (overlay.labels == structure["label"]).sum() * voxel_ml, abs=1e-3
        )


@pytest.mark.parametrize("moment", ["at once", "while it works"])
def test_cancel_makes_the_panel_ready_within_half_a_second(qtbot, panel, context, scan, moment) -> None:
    panel.set_scan(scan)
    qtbot.waitUntil(lambda: panel.can_predict)
    panel.predict()
    if moment == "while it works":
        qtbot.waitUntil(lambda: panel._worker._process is not None and panel._worker._process.processId() > 0)
    began = time.perf_counter()
    qtbot.mouseClick(panel.progress.cancel, Qt.MouseButton.LeftButton)
    assert panel.can_predict
    assert panel.predict_button.isVisible()
    assert time.perf_counter() - began < 0.5
    assert context.jobs.jobs == []
    assert context.catalog().predictions() == []


def test_after_a_cancel_the_next_prediction_works(qtbot, panel, scan) -> None:
    panel.set_scan(scan)
    qtbot.waitUntil(lambda: panel.can_predict)
    panel.predict()
    qtbot.waitUntil(lambda: panel._worker._process is not None)
    panel.cancel()
    assert predict(qtbot, panel, scan).labels.shape == scan.grid_shape


def test_the_saved_file_has_the_grid_of_the_scan(qtbot, panel, context, scan, stored, tmp_path, monkeypatch) -> None:
    overlay = show(qtbot, panel, scan, stored)
    proposed = []
    target = tmp_path / "mine.nii.gz"
    monkeypatch.setattr(panel.review, "ask_where", lambda path, _way: proposed.append(path) or target)
    with qtbot.waitSignal(context.notice, timeout=10_000):
        panel.review.save_menu.actions()[0].trigger()
    assert proposed[0].name == "head_seg.nii.gz"
    saved = nib.load(target)
    assert np.allclose(saved.affine, nib.load(scan.source.path).affine)
    assert np.array_equal(np.asarray(saved.dataobj), overlay.labels)


def test_the_scan_itself_is_never_written_over(qtbot, panel, context, scan, stored, monkeypatch) -> None:
    show(qtbot, panel, scan, stored)
    before = scan.source.path.read_bytes()
    monkeypatch.setattr(panel.review, "ask_where", lambda _path, _way: scan.source.path)
    with qtbot.waitSignal(context.notice, timeout=10_000) as told:
        panel.review.save()
    assert told.args[0] == "bad"
    assert scan.source.path.read_bytes() == before


def test_the_copied_table_has_a_line_per_structure(qtbot, panel, scan, stored) -> None:
    show(qtbot, panel, scan, stored)
    qtbot.mouseClick(panel.review.copy_button, Qt.MouseButton.LeftButton)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[4:7] == ["structure", "voxels", "volume_ml"]
    assert len(lines) == 3


def test_a_scan_the_model_cannot_take_says_what_where_and_how_to_mend_it(qtbot, panel, tmp_path) -> None:
    thin = read(make_scan(tmp_path / "thin.nii.gz", shape=(20, 18, 4)))
    panel.set_scan(thin)
    qtbot.waitUntil(lambda: panel.can_predict)
    panel.predict()
    qtbot.waitUntil(lambda: panel.failure.isVisible(), timeout=PREDICTED_MS)
    assert "too small" in panel.failure.what.text().lower()
    assert panel.failure.where.text() == str(thin.source.path)
    assert "whole volume" in panel.failure.mend.text()
    assert panel.can_predict


def test_a_child_process_that_dies_is_a_plain_error(qtbot, panel, scan) -> None:
    panel.set_scan(scan)
    qtbot.waitUntil(lambda: panel.can_predict)
    panel.predict()
    qtbot.waitUntil(lambda: panel._worker._process is not None and panel._worker._process.processId() > 0)
    panel._worker._process.kill()
    qtbot.waitUntil(lambda: panel.failure.isVisible(), timeout=10_000)
    assert "ended unexpectedly" in panel.failure.what.text()
    assert panel.failure.mend.text()
    assert panel.can_predict


def test_undo_brings_the_segmentation_back(qtbot, panel, scan, stored) -> None:
    overlay = show(qtbot, panel, scan, stored)
    with qtbot.waitSignal(panel.overlay_ready) as cleared:
        qtbot.mouseClick(panel.review.clear_button, Qt.MouseButton.LeftButton)
    assert cleared.args[0] is None
    assert not panel.results.isVisible()
    with qtbot.waitSignal(panel.overlay_ready, timeout=10_000) as back:
        qtbot.keyClick(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(back.args[0].labels, overlay.labels)


def test_another_scan_and_back_shows_the_first_result_again(qtbot, panel, scan, stored, tmp_path) -> None:
    overlay = show(qtbot, panel, scan, stored)
    panel.set_scan(read(make_scan(tmp_path / "other.nii.gz", seed=1)))
    assert not panel.results.isVisible()
    with qtbot.waitSignal(panel.overlay_ready, timeout=10_000) as back:
        panel.set_scan(scan)
    assert np.array_equal(back.args[0].labels, overlay.labels)


def test_a_past_prediction_opens_its_scan_and_lies_over_it(qtbot, panel, context, stored) -> None:
    context.open_requested.connect(lambda paths: panel.set_scan(read(paths[0])))
    with qtbot.waitSignal(panel.overlay_ready, timeout=10_000) as ready:
        panel.open_prediction(stored.id)
    assert np.array_equal(ready.args[0].labels, np.asarray(nib.load(stored.output).dataobj))
    assert panel.results.isVisible()


@pytest.mark.parametrize("happened", ["deleted", "changed", "scan on another grid"])
def test_a_segmentation_that_cannot_be_shown_again_says_why(qtbot, panel, scan, stored, happened) -> None:
    shown = scan
    if happened == "deleted":
        stored.output.unlink()
    elif happened == "changed":
        stored.output.write_bytes(stored.output.read_bytes() + b"x")
    else:
        shown = read(make_scan(stored.scan, affine=np.eye(4)))
    panel.set_scan(shown)
    panel.open_prediction(stored.id)
    qtbot.waitUntil(lambda: panel.failure.isVisible(), timeout=10_000)
    expected = {"deleted": "is gone", "changed": "was changed", "scan on another grid": "does not fit the scan"}
    assert expected[happened] in panel.failure.what.text()
    assert panel.failure.mend.text()
    assert panel.can_predict


def test_a_past_prediction_of_a_scan_that_is_gone_says_so(qtbot, panel, context, stored) -> None:
    stored.scan.unlink()
    with qtbot.waitSignal(context.notice) as told:
        panel.open_prediction(stored.id)
    assert told.args[0] == "bad"
    assert "scan of this prediction is gone" in told.args[1]
    assert str(stored.scan) in told.args[1]


def test_a_dropped_scan_is_predicted_at_once_when_asked_for(qtbot, panel, context, scan) -> None:
    panel.on_drop.setChecked(True)
    assert context.settings.value(ON_DROP_KEY, type=bool)
    qtbot.waitUntil(lambda: panel._choice.loaded)
    with qtbot.waitSignal(panel.overlay_ready, timeout=PREDICTED_MS):
        panel.set_scan(scan)


def test_choosing_a_scan_again_predicts_nothing(qtbot, panel, context, scan) -> None:
    panel.set_scan(scan)
    qtbot.waitUntil(lambda: panel.can_predict)
    panel.on_drop.setChecked(True)
    panel.set_scan(None)
    panel.set_scan(scan)
    qtbot.wait(20)
    assert panel.can_predict


def test_with_no_model_the_panel_says_what_to_do(qtbot, bare_context, scan, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("core.inference.package.RESOURCES", tmp_path)
    panel = PredictPanel(bare_context)
    qtbot.addWidget(panel)
    panel.show()
    panel.set_scan(scan)
    qtbot.waitUntil(lambda: panel._no_model.isVisible())
    with qtbot.waitSignal(bare_context.page_requested) as asked:
        qtbot.mouseClick(panel._no_model.findChild(object, "predict-to-models"), Qt.MouseButton.LeftButton)
    assert asked.args == ["models"]


def test_a_model_of_simulated_data_says_so_with_every_result(qtbot, bare_context, isocenter_home, scan) -> None:
    make_package(isocenter_home, name="madeup", simulated=True)
    panel = PredictPanel(bare_context)
    qtbot.addWidget(panel)
    panel.show()
    predict(qtbot, panel, scan)
    texts = [label.text() for label in panel.results.findChildren(type(panel.results.made))]
    assert "The model was trained on simulated data." in texts


def test_the_bar_on_top_predicts_as_well(qtbot, panel, scan) -> None:
    chooser, top = panel.toolbar_widgets()
    qtbot.addWidget(chooser)
    qtbot.addWidget(top)
    assert not top.isEnabled()
    panel.set_scan(scan)
    qtbot.waitUntil(top.isEnabled)
    with qtbot.waitSignal(panel.overlay_ready, timeout=PREDICTED_MS):
        top.click()
