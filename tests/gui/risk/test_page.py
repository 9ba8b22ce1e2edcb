"""The Risk page: values typed and pasted, a subject answered with an interval and reasons, what is odd is told."""

from __future__ import annotations

import doctest
import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.cli import main
from core.control import JobControl
from core.imaging.mni import Grid, tissues
from gui.context import AppContext
from gui.risk import reporting
from gui.risk.asking import LOWERS, RAISES, read_maps
from gui.risk.page import RiskPage
from gui.risk.result import RiskResult
from tests.gui.making import write_scan
from tests.gui.risk.making import make_risk_model


@pytest.fixture
def page(qtbot: QtBot, app_context: AppContext) -> Iterator[RiskPage]:
    make_risk_model()
    made = RiskPage(app_context)
    qtbot.addWidget(made)
    made.resize(1400, 900)
    made.show()
    qtbot.waitUntil(lambda: made.chosen is not None, timeout=10_000)
    yield made
    made.shut_down()
    qtbot.waitUntil(lambda: not app_context.jobs.jobs and not app_context.jobs._threads, timeout=60_000)


def write_scan_in_template(path: Path) -> Path:
    """A head that says itself that it lies in template space."""
    known = tissues(Grid((24, 31, 25), (6.0, 6.0, 6.0)))
    rng = np.random.default_rng(0)
    values = (300 * known.white + 200 * known.grey + rng.normal(0, 5, known.white.shape)) * known.brain
    image = nib.Nifti1Image(values.astype(np.float32), Grid((24, 31, 25), (6.0, 6.0, 6.0)).affine_ras)
    image.set_sform(image.affine, 4)
    image.set_qform(image.affine, 4)
    nib.save(image, path)
    return path


def test_doctests() -> None:
    assert doctest.testmod(importlib.import_module("gui.risk.place")).failed == 0


def test_values_stand_in_groups_and_are_found_by_a_word(page: RiskPage) -> None:
    tree = page.form.tree
    assert [tree.topLevelItem(n).text(0) for n in range(3)] == ["Demographics", "Cognition", "CSF"]
    page.form.search.setText("abeta")
    assert tree.topLevelItem(0).isHidden()
    assert not tree.topLevelItem(2).child(0).isHidden()


def test_a_pasted_column_fills_the_form_and_odd_values_are_told(qtbot: QtBot, page: RiskPage) -> None:
    with qtbot.waitSignal(page._context.notice) as told:
        page.form.paste("Age\t171\nsex\tM\nMMSE\t24\nshoe size\t43\nabeta 42\tmany\n")
    assert "shoe size" in told.args[1]
    assert page.form.values == {"age": 171.0, "sex": 1.0, "mmse": 24.0}
    text = page.form.told.text()
    assert "3 of 4 values given" in text
    assert "age: not within 50 to 100 years" in text
    assert "abeta 42: no number" in text


def test_cleared_values_can_be_put_back(qtbot: QtBot, page: RiskPage) -> None:
    assert not page.form.clear_button.isEnabled()
    page.form.set_texts({"age": "71", "mmse": "18"})
    page.form.clear_button.click()
    assert page.form.values == {} and page.form.clear_button.text() == "Undo"
    page.form.clear_button.click()
    assert page.form.values == {"age": 71.0, "mmse": 18.0} and page.form.clear_button.text() == "Clear"


def test_values_are_read_from_the_first_row_of_a_table_and_from_json(
    qtbot: QtBot, page: RiskPage, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("participant_id,age,sex,mmse\nsub-1,71,F,28\nsub-2,80,M,20\n")
    page.form.open(tmp_path / "a.csv")
    qtbot.waitUntil(lambda: page.form.values.get("mmse") == 28.0, timeout=10_000)
    (tmp_path / "b.json").write_text(json.dumps({"clinical": {"mmse": 12, "x": 1}}))
    page.form.open(tmp_path / "b.json")
    qtbot.waitUntil(lambda: page.form.values.get("mmse") == 12.0, timeout=10_000)
    assert page.form.values["age"] == 71.0


def test_clinical_values_alone_give_a_score_with_an_interval_and_reasons(qtbot: QtBot, page: RiskPage) -> None:
    assert not page.predict.isEnabled()
    page.form.set_texts({"age": "71", "sex": "F", "mmse": "18"})
    page.predict.click()
    qtbot.waitUntil(lambda: not page._work.running, timeout=60_000)
    assert page.failure.isHidden(), page.failure.what.text()
    answer = page.answer.prediction
    assert page.result.isVisible()
    assert page.result.figure.text() == f"{answer['score']:.2f}"
    assert "90% of subjects" in page.result.between.text()
    assert {bar.name for bar in page.result.values.bars} == {"age", "sex", "mmse"}
    told = [page.result.notices.itemAt(n).widget().accessibleName() for n in range(page.result.notices.count())]
    assert any("simulated" in text for text in told)
    assert any("Without MRI and PET" in text for text in told)
    assert page.simulated.isVisible()
    assert not page.grab().isNull()
    score = page.result.figure.text()
    page.form.clear()
    page.places["mri"].set_path(None)
    assert page.answer is None  # the answer was to another question
    [row] = page._context.catalog().predictions()
    assert row.task == "alzheimers" and row.answer.startswith("score ")
    page.open_prediction(row)
    qtbot.waitUntil(lambda: page.answer is not None, timeout=30_000)
    assert page.result.figure.text() == score
    assert page.form.values == {"age": 71.0, "sex": 0.0, "mmse": 18.0}


def test_a_cohort_predicted_on_the_command_line_opens_with_what_was_given_of_each(
    qtbot: QtBot, page: RiskPage, tmp_path: Path
) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text("id,age,sex,mmse\na,71,F,28\nb,82,M,\n")
    assert main(["predict", str(table), "--model", "risk", "--out", str(tmp_path / "out")]) == 0
    given = {"a": {"age": 71.0, "sex": 0.0, "mmse": 28.0}, "b": {"age": 82.0, "sex": 1.0}}
    for row in page._context.catalog().predictions():
        page.open_prediction(row)
        qtbot.waitUntil(lambda: not page._work.running and page.answer is not None, timeout=30_000)
        assert page.subject.text() == page.answer.prediction["subject"] == row.given["subject"]
        assert page.form.values == given[row.given["subject"]]
        assert f"score {page.answer.prediction['score']:.3g}" in row.answer


def test_the_answer_is_saved_as_a_report_by_button_and_by_key(
    qtbot: QtBot, page: RiskPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    offered: list[str] = []
    monkeypatch.setattr(reporting.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))

    def choose(_parent: object, _title: str, start: str, _filter: str) -> tuple[str, str]:
        offered.append(Path(start).name)
        return str(tmp_path / f"report{len(offered)}"), ""

    monkeypatch.setattr(reporting.QFileDialog, "getSaveFileName", choose)
    page.save_report()
    assert not offered  # there is no answer to save
    page.subject.setText("P 17/b")
    page.set_images(mri=write_scan_in_template(tmp_path / "sub_T1w.nii"))
    page.form.set_texts({"age": "71", "mmse": "18"})
    page.predict.click()
    qtbot.waitUntil(lambda: not page._work.running and page.answer is not None, timeout=60_000)
    with qtbot.waitSignal(page._context.notice, timeout=60_000) as told:
        qtbot.mouseClick(page.result.save, Qt.MouseButton.LeftButton)
    assert told.args[0] == "ok"
    assert offered == ["P_17_b risk.pdf"]
    assert (tmp_path / "report1.pdf").read_bytes().startswith(b"%PDF")
    page.activateWindow()
    page.result.save.setFocus()
    with qtbot.waitSignal(page._context.notice, timeout=60_000):
        qtbot.keyClick(page.result.save, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert [Path(path).name for path in opened] == ["report1.pdf", "report2.pdf"]
    assert page.result.save.accessibleName()


def test_a_dropped_image_is_shown_and_can_be_taken_away(qtbot: QtBot, page: RiskPage, tmp_path: Path) -> None:
    page.set_images(mri=write_scan(tmp_path / "sub_T1w.nii"), pet=write_scan(tmp_path / "sub_pet.nii"))
    qtbot.waitUntil(lambda: "pet" in page._scans, timeout=10_000)
    assert page._looks["pet"].isChecked()
    page.look_at("mri")
    qtbot.waitUntil(lambda: page.scene.volume is not None and page.scene.volume.name == "sub_T1w", timeout=10_000)
    page.places["mri"].set_path(None)
    qtbot.waitUntil(lambda: page.scene.volume.name == "sub_pet", timeout=10_000)


def test_only_the_strongest_reasons_lie_over_the_scan_by_their_sign(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 0.01, (20, 20, 20)).astype(np.float32)
    values[2:5, 2:5, 2:5], values[12:15, 2:5, 2:5] = 1.0, -1.0
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "map.nii.gz")
    nib.save(nib.Nifti1Image(values / 1000, np.eye(4)), tmp_path / "faint.nii.gz")
    maps = read_maps({"pet": tmp_path / "map.nii.gz", "mri": tmp_path / "faint.nii.gz"}, JobControl())
    labels = maps["pet"]
    assert not maps["mri"].any()  # an image that hardly counts shows nothing
    assert (labels[2:5, 2:5, 2:5] == RAISES).all() and (labels[12:15, 2:5, 2:5] == LOWERS).all()
    assert 0 < (labels > 0).mean() < 0.07


def test_an_answer_without_an_interval_says_so_and_draws(qtbot: QtBot) -> None:
    result = RiskResult()
    qtbot.addWidget(result)
    finding = {"code": "no-interval", "severity": "warning", "message": "No interval."}
    result.show_prediction({"score": 0.3, "interval": None, "parts": "mri", "findings": [finding]}, None)
    assert result.between.text() == "from MRI"
    assert result.notices.itemAt(0).widget().accessibleName() == "No interval."
    assert not result.grab().isNull()
