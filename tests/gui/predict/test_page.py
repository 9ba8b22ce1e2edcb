"""The page of past predictions, and several scans at once."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QPushButton

from core.cli import main
from core.imaging.reader import read
from core.inference.cases import Case
from core.inference.deleting import to_trash
from gui.predict.batch import BatchItem, free_folder
from gui.predict.page import PredictionsPage
from gui.predict.past import KIND, OF, RESULT
from gui.predict.stored import own_folder
from gui.predict.worker_process import worker_of
from tests.core.imaging.conftest import make_slice
from tests.gui.predict.making import make_scan, store_prediction
from tests.gui.tables_making import write_table

SELECT = QItemSelectionModel.SelectionFlag


@pytest.fixture
def page(qtbot, context) -> PredictionsPage:
    made = PredictionsPage(context)
    qtbot.addWidget(made)
    made.resize(1100, 800)
    made.show()
    qtbot.waitUntil(lambda: made._choice.loaded)
    return made


def drop(page: PredictionsPage, *paths) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    page.dropEvent(
        QDropEvent(
            QPointF(10, 10), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
    )


def test_two_dropped_scans_are_predicted_one_after_another(qtbot, page, context, tmp_path) -> None:
    scans = [make_scan(tmp_path / "in" / f"{name}.nii.gz", seed=seed) for seed, name in enumerate(("one", "two"))]
    out = tmp_path / "results"
    context.settings.setValue("predict/batch_folder", str(out))
    with qtbot.waitSignal(page.batch.finished, timeout=60_000):
        drop(page, tmp_path / "in")
    assert [item.state for item in page.batch.items] == ["done", "done"]
    kept = ["one_seg.nii.gz", "predictions.jsonl", "two_seg.nii.gz", "volumes.csv"]
    assert sorted(path.name for path in out.iterdir()) == kept
    assert {row.scan for row in context.catalog().predictions()} == set(scans)
    assert page.past.rowCount() == 2


def test_a_folder_dropped_again_goes_on_where_it_stopped(qtbot, page, context, tmp_path) -> None:
    make_scan(tmp_path / "in" / "one.nii.gz")
    out = tmp_path / "results"
    context.settings.setValue("predict/batch_folder", str(out))
    with qtbot.waitSignal(page.batch.finished, timeout=60_000):
        drop(page, tmp_path / "in")
    page.batch.clear_over()
    make_scan(tmp_path / "in" / "two.nii.gz", seed=1)
    with qtbot.waitSignal(page.batch.finished, timeout=60_000):
        drop(page, tmp_path / "in")
    assert [item.state for item in page.batch.items] == ["known", "done"]
    first = page.batch.items[0]
    assert first.prediction == min(row.id for row in context.catalog().predictions())
    again = page.queue.findChild(QPushButton, "queue-again")
    assert again.isVisible() and again.accessibleName() == "Predict again: one.nii.gz"
    with qtbot.waitSignal(page.batch.finished, timeout=60_000):
        qtbot.mouseClick(again, Qt.MouseButton.LeftButton)
    assert first.state == "done" and first.prediction == max(row.id for row in context.catalog().predictions())
    assert (out / "2" / "one_seg.nii.gz").exists()


def test_a_batch_begun_on_the_command_line_is_known_to_the_window(qtbot, page, context, tmp_path) -> None:
    scan = make_scan(tmp_path / "in" / "one.nii.gz")
    assert main(["predict", str(scan.parent), "--model", "tiny", "--out", str(tmp_path / "results")]) == 0
    context.settings.setValue("predict/batch_folder", str(tmp_path / "results"))
    drop(page, scan.parent)
    qtbot.waitUntil(lambda: bool(page.batch.items))
    assert [item.state for item in page.batch.items] == ["known"] and not page.batch.busy


def test_every_series_of_a_dropped_folder_is_a_scan(qtbot, page, tmp_path) -> None:
    (tmp_path / "study").mkdir()
    for series in (1, 2):
        for z in range(9):
            one = make_slice((0, 0, z), z + 1, np.zeros((12, 10)), SeriesInstanceUID=f"1.{series}", SeriesNumber=series)
            one.save_as(tmp_path / "study" / f"{series}{z}.dcm", enforce_file_format=True)
    page.predict_paths([tmp_path / "study"])
    qtbot.waitUntil(lambda: len(page.batch.items) == 2)
    assert len({item.case.series for item in page.batch.items}) == 2
    assert len({item.case.title for item in page.batch.items}) == 2
    page.batch.cancel_all()


def test_a_scan_that_fails_does_not_stop_the_others(qtbot, page, tmp_path) -> None:
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"not a scan")
    good = make_scan(tmp_path / "good.nii.gz")
    with qtbot.waitSignal(page.batch.finished, timeout=60_000):
        page.predict_paths([broken, good])
    assert [item.state for item in page.batch.items] == ["failed", "done"]
    assert page.batch.items[0].error.what
    assert page.queue.isVisible()


def test_cancel_all_leaves_nothing_running(qtbot, page, context, tmp_path) -> None:
    page.predict_paths([make_scan(tmp_path / f"{n}.nii.gz") for n in range(3)])
    qtbot.waitUntil(lambda: page.batch.busy and worker_of(context).busy)
    qtbot.mouseClick(page.queue.cancel_all, Qt.MouseButton.LeftButton)
    assert [item.state for item in page.batch.items] == ["cancelled"] * 3
    assert not worker_of(context).busy
    assert context.jobs.jobs == []
    qtbot.mouseClick(page.queue.clear, Qt.MouseButton.LeftButton)
    assert not page.queue.isVisible()


def test_a_folder_without_scans_says_so(qtbot, page, context, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    with qtbot.waitSignal(context.notice, timeout=5_000) as told:
        page.predict_paths([tmp_path / "empty"])
    assert told.args[0] == "warn"
    assert "no scan" in told.args[1]


def test_results_of_the_same_name_go_beside_each_other(tmp_path) -> None:
    assert free_folder(tmp_path, "T1") == tmp_path
    (tmp_path / "T1_seg.nii.gz").write_bytes(b"")
    assert free_folder(tmp_path, "T1") == tmp_path / "2"


def test_a_double_click_opens_a_past_prediction(qtbot, context, scan, stored) -> None:
    page = PredictionsPage(context)
    qtbot.addWidget(page)
    page.show()
    with qtbot.waitSignal(context.prediction_open_requested) as asked:
        page.table.activated.emit(page.table.model().index(0, 0))
    assert asked.args == [stored.id]


def test_answers_of_every_kind_are_listed_in_words_and_found_by_them(qtbot, context, scan, stored, tmp_path) -> None:
    for task, answer, given in (
        ("tabular", "120 rows: died = 1 in 60, 0 in 60", {}),
        ("finetuning", "died = 1: 59% (50% to 70%)", {"stay": "132539"}),
        ("alzheimers", "score 0.43 (0.3 to 0.56)", {"subject": "sub-7"}),
    ):
        context.catalog().add_prediction(
            scan=tmp_path / "of.csv", model="m", model_version="1.0", output=tmp_path / "o", sha256="", structures=[],
            findings=[], seconds=1.0, device="", task=task, answer=answer, given=given,
        )  # fmt: skip
    page = PredictionsPage(context)
    qtbot.addWidget(page)
    shown = page.table.model()
    rows = [[shown.index(row, column).data() for column in (KIND, OF, RESULT)] for row in range(shown.rowCount())]
    assert rows[:3] == [
        ["Risk", "sub-7", "score 0.43 (0.3 to 0.56)"],
        ["Stay", "132539 · of.csv", "died = 1: 59% (50% to 70%)"],
        ["Table", "of.csv", "120 rows: died = 1 in 60, 0 in 60"],
    ]
    assert rows[3][0] == "Scan"
    page._search.setText("59%")
    assert shown.rowCount() == 1


def test_a_dropped_table_opens_on_its_own_page(qtbot, page, context, tmp_path) -> None:
    with qtbot.waitSignal(context.open_requested) as asked:
        drop(page, write_table(tmp_path / "patients.csv"))
    assert asked.args == [[tmp_path / "patients.csv"]]
    assert page.batch.items == [] and not context.jobs.jobs


def test_volumes_are_exported_as_csv(qtbot, context, scan, stored, tmp_path) -> None:
    page = PredictionsPage(context)
    qtbot.addWidget(page)
    page.export_to(tmp_path / "volumes.csv")
    with (tmp_path / "volumes.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["structure"] for line in lines] == ["Anterior, left", "Posterior, right"]
    assert float(lines[0]["volume_ml"]) == pytest.approx(stored.structures[0]["volume_ml"], abs=1e-3)


def test_what_is_selected_is_deleted_and_undo_brings_it_back(qtbot, page, panel, context, scan, tmp_path) -> None:
    kept, *gone = (store_prediction(context.catalog(), scan, own_folder(), seed=seed) for seed in range(3))
    panel.set_scan(scan)
    panel.open_prediction(gone[1].id)
    qtbot.waitUntil(lambda: panel._overlay is not None)
    context.predictions_changed.emit()
    case = Case(scan.source.path, "", Path(), "head", "head")
    page.batch.items = [BatchItem(case, "tiny-1.0", tmp_path, "done", prediction=row.id) for row in (kept, *gone)]
    page.table.selectAll()
    last = page.table.model().index(2, 0)
    page.table.selectionModel().select(last, SELECT.Deselect | SELECT.Rows)
    with qtbot.waitSignal(panel.overlay_ready) as shown:
        page.remove_button.click()
    assert shown.args == [None]  # it is taken off its scan too
    qtbot.waitUntil(lambda: page.past.rows == [kept])
    assert page.removed.isVisible() and "2 predictions" in page.removed.accessibleName()
    assert not page.remove_button.isEnabled()
    assert [item.prediction for item in page.batch.items] == [kept.id, 0, 0]  # they cannot be opened
    assert [row.output.is_file() for row in (kept, *gone)] == [True, False, False]
    page.removed.undo()
    qtbot.waitUntil(lambda: page.past.rows == [gone[1], gone[0], kept])
    assert all(row.output.is_file() for row in gone)


def test_a_result_whose_row_was_deleted_is_known_but_opens_nothing(qtbot, page, context, tmp_path) -> None:
    source = make_scan(tmp_path / "in" / "one.nii.gz")
    assert main(["predict", str(source.parent), "--model", "tiny", "--out", str(tmp_path / "results")]) == 0
    (row,) = context.catalog().predictions()
    to_trash(context.catalog(), row.id)
    context.settings.setValue("predict/batch_folder", str(tmp_path / "results"))
    drop(page, source.parent)
    qtbot.waitUntil(lambda: bool(page.batch.items))
    (item,) = page.batch.items
    assert (item.state, item.prediction) == ("known", 0)


def test_search_finds_by_name_of_the_scan(qtbot, context, scan, stored, tmp_path) -> None:
    other = read(make_scan(tmp_path / "knee.nii.gz"))
    store_prediction(context.catalog(), other, tmp_path / "out2")
    page = PredictionsPage(context)
    qtbot.addWidget(page)
    page._search.setText("KNEE")
    assert page.table.model().rowCount() == 1
