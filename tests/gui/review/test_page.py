from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt

from core.catalog import Catalog
from core.catalog.evaluations import CaseFiles, add_evaluation
from gui.context import AppContext
from gui.review.page import ReviewPage
from gui.review.strip import StripPlot
from tests.core.making import write_nifti

SHAPE = (20, 24, 18)


@pytest.fixture
def context(qtbot, tmp_path: Path):
    made = AppContext(settings=QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    yield made
    made.close()


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    """Two cases, the second the worse one: there the structure lies three voxels off, and another is missed."""
    files, rows = {}, []
    for number, (case, dice) in enumerate({"fine": 0.9, "poor": 0.4}.items()):
        truth, found = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
        truth[3:9, 4:10, 2:8] = 1
        found[3:9, 4 + 3 * number : 10 + 3 * number, 2:8] = 1
        image = np.random.default_rng(number).integers(0, 300, SHAPE).astype(np.int16)
        paths = [tmp_path / kind / f"{case}.nii.gz" for kind in ("images", "labels", "found")]
        for path, voxels in zip(paths, (image, truth, found), strict=True):
            write_nifti(path, voxels)
        files[case] = CaseFiles(*paths)
        keys = ("dice", "jaccard", "accuracy", "nsd", "boundary_f1")
        row = {key: {"Box": dice, "Rare": 1.0 - number} for key in keys}
        row |= {"case": case, "hd95": {"Box": 10 * (1 - dice), "Rare": 30.0 * number}, "missed": ["Rare"] * number}
        rows.append(row | {"volume_error_ml": {"Box": -0.1, "Rare": 0.0}, "false_alarms": []})
    figures, intervals = {}, {}
    for key in (*keys, "hd95", "volume_error_ml", "n_missed", "n_false_alarms"):
        for name in ("", "/Box", "/Rare"):
            figures[f"test/{key}{name}"], intervals[f"test/{key}{name}"] = 0.65, [0.4, 0.9]
    result = {"metrics": figures, "intervals": intervals, "tolerance_mm": 1.0, "trained_on": 0, "cases": rows}
    with Catalog() as catalog:
        add_evaluation(
            catalog, model="boxes 1.0", run="", data=tmp_path, split="", seconds=1.0, files=files,
            result={**result, "labels": {"Box": 1, "Rare": 2}},
        )  # fmt: skip
    return tmp_path


@pytest.fixture
def page(qtbot, context: AppContext):
    made = ReviewPage(context)
    qtbot.addWidget(made)
    for tool in made.toolbar_widgets():
        tool.setParent(made)  # the window's bar holds them elsewhere
    made.resize(1200, 800)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    qtbot.waitUntil(lambda: made.metric_box.count() > 0)
    yield made
    made.shut_down()


def order(page: ReviewPage) -> list[str]:
    return [page.sorted.index(row, 0).data() for row in range(page.sorted.rowCount())]


@pytest.fixture
def filled(qtbot, evaluated: Path, page: ReviewPage) -> ReviewPage:
    page.reload()
    qtbot.waitUntil(lambda: page.shown is not None)
    return page


def press(qtbot, widget, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    widget.setFocus()
    qtbot.keyClick(widget, key, modifier)


def show(qtbot, page: ReviewPage, case: str) -> None:
    page.open_case(case)
    qtbot.waitUntil(lambda: page.case_view.opened is not None)


def test_without_evaluations_the_page_says_how_to_make_one(page: ReviewPage):
    assert page.empty.isVisible() and not page.chooser.isVisible() and not page.form.isVisible()
    page.ask()
    assert page.form.isVisible() and not page.form.go.isEnabled()
    page.form.data.setText("/somewhere")
    assert page.form.go.isEnabled() == (page.form.model.count() > 0)


def test_the_worst_case_stands_first_whichever_way_a_metric_runs(filled: ReviewPage):
    assert order(filled) == ["poor", "fine"]
    filled.metric_box.setCurrentIndex(filled.metric_box.findData("hd95"))
    assert order(filled) == ["poor", "fine"]
    assert filled.sorted.index(0, filled.sorted.columnCount() - 1).data() == "✕ Rare missed"
    assert filled.summary.item(0, 2).text() == "0.400–0.900"
    assert not filled.empty.isVisible()


def test_a_case_opens_where_truth_and_prediction_differ_with_both_as_layers(qtbot, filled: ReviewPage):
    show(qtbot, filled, "poor")
    scene = filled.case_view.scene
    assert scene.truth is not None and scene.overlay is not None
    assert scene.truth_canonical[scene.index] != scene.overlay_canonical[scene.index]
    press(qtbot, filled.case_view.grid.slices[0], Qt.Key.Key_T)
    assert not scene.truth.shown and scene.overlay.shown
    press(qtbot, filled.case_view.grid.slices[0], Qt.Key.Key_P)
    assert not scene.overlay.shown
    scene.set_index((0, 0, 0))
    press(qtbot, filled.case_view.grid.slices[0], Qt.Key.Key_D)
    assert scene.truth_canonical[scene.index] != scene.overlay_canonical[scene.index]


def test_keys_walk_the_cases_in_the_order_of_the_table(qtbot, filled: ReviewPage):
    show(qtbot, filled, "poor")
    press(qtbot, filled.table, Qt.Key.Key_N)
    assert filled.case_view.title.text() == "fine"
    press(qtbot, filled.table, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert filled.case_view.title.text() == "poor"
    qtbot.waitUntil(lambda: filled.case_view.opened is not None)


def test_a_point_of_the_plot_opens_its_case(qtbot, filled: ReviewPage):
    strip: StripPlot = filled.strip
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.place_of(0, 1).toPoint())
    assert filled.case_view.title.text() == "poor"
    qtbot.waitUntil(lambda: filled.case_view.opened is not None)


def test_a_case_whose_prediction_is_gone_says_so(qtbot, evaluated: Path, filled: ReviewPage):
    (evaluated / "found" / "poor.nii.gz").unlink()
    filled.open_case("poor")
    qtbot.waitUntil(lambda: filled.case_view.failure.isVisible())
    assert "prediction is gone" in filled.case_view.failure.what.text()


def test_the_part_that_was_kept_out_is_proposed_for_the_data_that_a_run_was_trained_on(
    qtbot, tmp_path: Path, page: ReviewPage
):
    with Catalog() as catalog:
        for name, kept_out in (("tested", "{test_fraction: 0.2}"), ("short", "{}")):
            (tmp_path / name).mkdir()
            catalog.add_run(
                id=name, name=name, task="segmentation", config=f"name: {name}\ndata: {kept_out}",
                data_path=str(tmp_path / name), folder=tmp_path, epochs=1,
            )  # fmt: skip
            catalog.update_run(name, state="finished")
    page.ask()
    form = page.form
    form.model.setCurrentIndex(form.model.findData("tested"))
    form.data.setText(str(tmp_path))
    assert form.split.currentData() == "" and "never saw" in form.hint.text()
    form.data.setText(f"{tmp_path}/short/../tested")
    assert form.split.currentData() == "test" and "test part, kept out" in form.hint.text()
    form.split.setCurrentIndex(0)
    form.fill()
    assert form.split.currentData() == "" and "never saw" in form.hint.text()  # as was chosen by hand
    form.model.setCurrentIndex(form.model.findData("short"))
    assert form.split.currentData() == ""  # these are not its own
    form.choose("short")
    assert form.split.currentData() == "val" and form.data.text() == str(tmp_path / "short")


def test_the_form_begins_with_the_data_of_the_model_on_top(qtbot, tmp_path: Path, context: AppContext):
    from gui.review.form import EvaluateForm

    with Catalog() as catalog:
        catalog.add_run(
            id="r", name="r", task="segmentation", config="data: {test_fraction: 0.2}", data_path=str(tmp_path),
            folder=tmp_path, epochs=1,
        )  # fmt: skip
        catalog.update_run("r", state="finished")
    form = EvaluateForm(context)
    qtbot.addWidget(form)
    form.model.setCurrentIndex(form.model.findData("r"))
    form.fill()
    assert form.data.text() == str(tmp_path) and form.split.currentData() == "test" and form.go.isEnabled()


def test_an_evaluation_that_fails_keeps_the_form_and_says_why(qtbot, tmp_path: Path, page: ReviewPage):
    from gui.review.form import Asked

    page.evaluate(Asked("no-such-model", "none", tmp_path, ""))
    assert page.progress.isVisible()
    qtbot.waitUntil(lambda: page.failure.isVisible())
    assert page.form.isVisible() and not page.progress.isVisible()


def test_deleting_an_evaluation_empties_the_page(qtbot, filled: ReviewPage):
    filled.remove()
    qtbot.waitUntil(lambda: filled.shown is None and filled.empty.isVisible())


def test_a_deleted_evaluation_comes_back_by_undo(qtbot, filled: ReviewPage):
    before = filled.shown
    filled.remove()
    qtbot.waitUntil(lambda: filled.shown is None and filled.trash.isVisible())
    filled.trash.undo()
    qtbot.waitUntil(lambda: filled.shown == before)
    assert not filled.trash.isVisible()
    assert all(files.prediction is not None and files.prediction.is_file() for files in filled.shown.files.values())
