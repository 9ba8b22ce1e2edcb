"""The Stays page: a stay's measurements over time, zoomed and pointed at, and a model's answer as it grows."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from core.catalog import Catalog
from core.control import JobControl
from core.data.stays.read import read_stays
from core.files import sha256
from gui.context import AppContext
from gui.stays import asking
from gui.stays import page as page_module
from gui.stays.page import StaysPage
from gui.stays.series import one_stay, write_stay
from gui.stays.span import Span
from gui.stays.strips import TimeStrip
from tests.gui.making import drop


def write_stays(folder: Path, count: int = 3) -> Path:
    """Stays as text files, a measurement a row; the heart rate of the first is too high from hour 10 on."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        rows = ["Time,Parameter,Value", f"00:00,RecordID,{100 + number}", "00:00,Age,70", "00:00,Gender,1"]
        rows += [f"{hour:02d}:00,HR,{80 if hour < 10 or number else 130}" for hour in range(0, 48, 2)]
        rows += [f"{hour:02d}:30,Temp,36.8" for hour in range(0, 40, 8)]
        (folder / f"{100 + number}.txt").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def page(qtbot: QtBot, app_context: AppContext, tmp_path: Path) -> Iterator[StaysPage]:
    made = StaysPage(app_context)
    qtbot.addWidget(made)
    made.resize(1400, 800)
    made.show()
    made.open(write_stays(tmp_path / "stays"))
    qtbot.waitUntil(lambda: made.stay is not None, timeout=20_000)
    yield made
    made.shut_down()


def test_doctests() -> None:
    assert doctest.testmod(asking).failed == 0


def test_a_dropped_scan_goes_to_the_page_of_scans_and_stays_open_here(
    qtbot: QtBot, page: StaysPage, tmp_path: Path
) -> None:
    with qtbot.waitSignal(page._context.open_requested) as asked:
        drop(page, tmp_path / "scan.nii.gz")
    assert asked.args == [[tmp_path / "scan.nii.gz"]]
    drop(page, write_stays(tmp_path / "more", 2))
    qtbot.waitUntil(lambda: page.count.text() == "2 stays", timeout=20_000)


def test_a_stay_is_shown_by_variable_with_its_facts_apart(page: StaysPage) -> None:
    assert page.count.text() == "3 stays"
    assert [one.name for one in page.stay.series] == ["HR", "Temp"]
    assert page.facts.text() == "Age 70 years · Gender male"
    assert page.stay.series[0].normal == (60, 100)
    assert page.stay.series[0].outside == pytest.approx(19 / 24)
    assert not page.grab().isNull()


def test_the_cursor_reads_out_the_last_value_until_then(qtbot: QtBot, page: StaysPage) -> None:
    assert page.strips.said(0) == "130 /min"
    page.span.point_at(5.0)
    assert page.strips.said(0) == "80 /min"
    page.span.point_at(0.1)
    assert page.strips.said(1) == "–"
    qtbot.mouseMove(page.strips, QPoint(page.strips.width() // 2, 20))
    assert page.span.cursor == pytest.approx(page.strips.hours_at(page.strips.width() // 2))


def test_keys_move_and_zoom_in_time_and_home_shows_the_whole_stay(qtbot: QtBot) -> None:
    span = Span()
    strip = TimeStrip(span)
    qtbot.addWidget(strip)
    strip.show()
    strip.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(strip, Qt.Key.Key_Plus)
    width = span.high - span.low
    assert width < span.end
    before = span.low
    qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert span.low == pytest.approx(before + 0.1 * width)
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    assert (span.low, span.high) == (0.0, span.end)


def test_the_wheel_zooms_about_the_pointer_and_never_leaves_the_stay() -> None:
    span = Span()
    span.show_all(48.0)
    span.zoom(12.0, 0.5)
    assert (span.low, span.high) == (6.0, 30.0)
    span.move(-20)
    assert (span.low, span.high) == (0.0, 24.0)
    span.zoom(0.0, 100)
    assert (span.low, span.high) == (0.0, 48.0)


def test_another_stay_is_found_by_its_name(page: StaysPage) -> None:
    page.search.setText("102")
    page.list.setCurrentIndex(page.found.index(0, 0))
    assert page.title.text() == "Stay 102"
    assert page.stay.series[0].outside == 0


def test_a_stay_that_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    stays = read_stays(write_stays(tmp_path / "stays"))
    write_stay(stays, 0, tmp_path / "one.csv", JobControl())
    again = one_stay(read_stays(tmp_path / "one.csv"), 0)
    before = one_stay(stays, 0)
    assert again.id == before.id and again.facts == before.facts
    for one, other in zip(before.series, again.series, strict=True):
        np.testing.assert_allclose(one.hours, other.hours, atol=1e-3)
        np.testing.assert_allclose(one.values, other.values, rtol=1e-6)


ANSWER: dict[str, Any] = {
    "stay": "100", "model": "m", "outcome": "death", "predicted": "1", "probabilities": {"0": 0.3, "1": 0.7},
    "interval": [0.5, 0.8], "interval_of": "1", "explained": "1", "measurements": 29,
    "findings": [{"code": "x", "severity": "warning", "message": "One variable is in another unit."}],
    "course": [{"hours": h, "value": h / 60, "interval": [h / 70, h / 50]} for h in (0, 12, 24, 48)],
    "contributions": {"unit": "log odds", "variables": {"Temp": 0.9, "HR": -0.1}, "hours": [
        {"hours": [12, 24], "value": 0.4}, {"hours": [24, 48], "value": -0.6},
    ]},
}  # fmt: skip


class Package:
    """What the page asks of a package."""

    name, version, title, summary = "m", "1.0", "Death", "predicts death of stays"

    def as_dict(self) -> dict[str, Any]:
        return {"task": "finetuning", "training": {"simulated": True}}


def test_the_answer_grows_under_the_series_and_says_what_it_hangs_on(
    qtbot: QtBot, page: StaysPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "predict_stay", lambda *_: ANSWER)
    page._choice.every = [Package()]
    page._choice.changed.emit()
    page.predict.click()
    qtbot.waitUntil(lambda: page.answer is not None, timeout=10_000)
    assert page.figure.text() == "70%"
    assert "probability of death = 1, between 50% and 80%; decided: 1" in page.between.text()
    assert page.course.isVisible()
    page.span.point_at(13.0)
    assert page.course.said() == "0.20 (0.17–0.24)"
    assert [one.name for one in page.strips.series] == ["Temp", "HR"]  # what matters most stands first
    assert page.strips.beside(0) == "normal 36.1–37.5 · adds +0.90"
    assert page.reasons.isVisible() and page.reasons.said() == "+0.40 at 12–24 h"
    page.span.point_at(None)
    assert page.reasons.said() == "most: -0.60 at 24–48 h"
    assert page.variables.bars[0].note == "36.8 °C"
    assert page.simulated.isVisible()
    assert not page.grab().isNull()
    page.show_stay(1)
    assert page.answer is None and page.course.isHidden()
    page.show_stay(0)
    assert page.answer == ANSWER  # it was asked already


def test_an_earlier_answer_comes_back_on_the_stay_it_was_given_for(
    qtbot: QtBot, page: StaysPage, tmp_path: Path
) -> None:
    output = tmp_path / "stay_stays.json"
    output.write_text(json.dumps({"predictions": [{**ANSWER, "stay": "102"}]}))
    with Catalog() as catalog:
        catalog.add_prediction(
            scan=tmp_path / "stays", model="m", model_version="1.0", output=output, sha256=sha256(output),
            structures=[], findings=[], seconds=1.0, device="", task="finetuning", given={"stay": "102"},
        )  # fmt: skip
        [row] = catalog.predictions()
    page.open_prediction(row)
    qtbot.waitUntil(lambda: page.answer is not None, timeout=10_000)
    assert page.title.text() == "Stay 102" and page.figure.text() == "70%"
    output.write_text("{}")
    with qtbot.waitSignal(page._context.notice, timeout=10_000) as told:
        page.open_prediction(row)
    assert "changed after it was made" in told.args[1]


def test_what_holds_no_stay_is_told(qtbot: QtBot, app_context: AppContext, tmp_path: Path) -> None:
    made = StaysPage(app_context)
    qtbot.addWidget(made)
    (tmp_path / "nothing").mkdir()
    made.open(tmp_path / "nothing")
    qtbot.waitUntil(lambda: not made.failure.isHidden(), timeout=10_000)
    assert made.model.stays is None
