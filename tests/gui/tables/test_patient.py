"""One patient's values: fields from the model's columns, an answer with reasons as they are typed, chosen or pasted."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from core.catalog import Catalog
from core.files import sha256
from gui.context import AppContext
from gui.predict.stored import StoredPredictionError
from gui.tables.page import TablesPage
from gui.tables.patient import PatientView
from gui.tables.patient_asking import fields_of, read_patient
from gui.values.form import VALUE
from tests.gui.tables_making import write_table


@pytest.fixture
def view(qtbot: QtBot, app_context: AppContext, table_model: Path) -> Iterator[PatientView]:
    made = PatientView(app_context)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    made.show()
    qtbot.waitUntil(lambda: made.chosen is not None, timeout=10_000)
    yield made
    made.shut_down()


@pytest.mark.parametrize("name", ["values.fields", "tables.patient_asking"])
def test_doctests(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"gui.{name}")).failed == 0


def test_each_column_of_the_model_is_a_field_with_its_range_or_its_words(view: PatientView) -> None:
    age, lactate, sex = fields_of(view.chosen)
    assert age.name == "age" and age.low < 50 < 70 < age.high
    assert age.read(str(age.high + 9))[1].startswith("not within")
    assert sex.words == ("f", "m") and sex.read("x")[1].startswith("not known")
    assert lactate.group == "Other values"


def test_an_answer_with_reasons_comes_as_values_are_typed_and_goes_with_them(qtbot: QtBot, view: PatientView) -> None:
    view.form.tree.topLevelItem(0).child(0).setText(VALUE, "85")
    qtbot.waitUntil(lambda: view.answer is not None, timeout=30_000)
    old = view.answer["probabilities"]["1"]
    assert old > 0.5 and view.figure.text() == f"died = 1: {old:.0%}"
    assert {bar.name: bar.note for bar in view.bars.bars}["age"] == "85"
    assert {bar.note for bar in view.bars.bars if bar.name != "age"} == {"not given"}
    view.form.tree.topLevelItem(0).child(0).setText(VALUE, "30")
    assert view.answer is None and view.figure.isHidden()  # an answer to something else is no answer
    qtbot.waitUntil(lambda: view.answer is not None, timeout=30_000)
    assert view.answer["probabilities"]["1"] < old
    view.form.clear()
    assert view.answer is None and "any may be left out" in view.note.text()


def test_the_newest_answer_to_a_patient_is_kept_and_another_patient_has_a_row_of_its_own(
    qtbot: QtBot, view: PatientView
) -> None:
    cell = view.form.tree.topLevelItem(0).child(0)
    for text in ("85", "30"):
        cell.setText(VALUE, text)
        qtbot.waitUntil(lambda: view.answer is not None, timeout=30_000)
    with Catalog() as catalog:
        (first,) = catalog.predictions()
    assert first.answer == view.figure.text() and first.task == "tabular"
    assert read_patient(first) == ({"age": "30"}, view.answer)
    view.form.paste("age\tsex\n66\tf\n")
    qtbot.waitUntil(lambda: view.answer is not None, timeout=30_000)
    with Catalog() as catalog:
        second, kept = catalog.predictions()
    assert kept == first and read_patient(second)[0] == {"age": "66", "sex": "f"}


def test_a_kept_patient_opens_again_and_stays_as_it_was_when_values_are_changed(
    qtbot: QtBot, app_context: AppContext, table_model: Path, view: PatientView
) -> None:
    view.form.paste("age\tsex\n81\tf\n")
    qtbot.waitUntil(lambda: view.answer is not None, timeout=30_000)
    with Catalog() as catalog:
        (row,) = catalog.predictions()
    page = TablesPage(app_context)
    for widget in (page, *page.toolbar_widgets()):
        qtbot.addWidget(widget)
    page.show()
    qtbot.waitUntil(lambda: page.chosen_model is not None, timeout=10_000)
    page.patient.form.set_texts({"lactate": "3"})
    page.open_prediction(row)
    qtbot.waitUntil(lambda: page.patient.answer == view.answer, timeout=10_000)
    assert page.stack.currentWidget() is page.patient and page.patient.figure.text() == view.figure.text()
    assert page.patient.form.texts() == {"age": "81", "sex": "f"}
    page.patient.form.tree.topLevelItem(0).child(0).setText(VALUE, "40")
    qtbot.waitUntil(lambda: page.patient.answer is not None, timeout=30_000)
    with Catalog() as catalog:
        assert len(catalog.predictions()) == 2 and catalog.predictions()[1] == row
    page.shut_down()


def test_a_kept_patient_that_was_changed_or_is_none_is_refused(qtbot: QtBot, view: PatientView) -> None:
    view.form.paste("age\n81\n")
    qtbot.waitUntil(lambda: view.answer is not None, timeout=30_000)
    with Catalog() as catalog:
        (row,) = catalog.predictions()
    row.output.write_text("{}")
    with pytest.raises(StoredPredictionError, match="was changed"):
        read_patient(row)
    with pytest.raises(StoredPredictionError, match="no file of a patient"):
        read_patient(replace(row, sha256=sha256(row.output)))


def test_a_row_of_a_spreadsheet_is_pasted_and_what_the_model_does_not_know_is_told(
    qtbot: QtBot, view: PatientView
) -> None:
    with qtbot.waitSignal(view._context.notice) as told:
        view.form.paste("record\tage\tsex\tlactate\n17\t66\tx\tmany\n")
    assert "record" in told.args[1]
    assert view.form.readable == {"age": "66", "sex": "x"}
    assert "lactate: no number" in view.form.told.text() and "rare word" in view.form.told.text()
    qtbot.waitUntil(lambda: view.answer is not None, timeout=30_000)
    assert view.notices.count() == 1  # the model's own finding about the word


def test_words_are_chosen_from_a_list(qtbot: QtBot, view: PatientView) -> None:
    tree = view.form.tree
    item = tree.topLevelItem(0).child(2)
    tree.setCurrentItem(item, VALUE)
    tree.editItem(item, VALUE)
    combo = tree.findChild(QComboBox, "value-choice")
    assert [combo.itemText(n) for n in range(combo.count())] == ["", "f", "m"]
    combo.setCurrentIndex(2)
    combo.activated.emit(2)
    assert view.form.texts() == {"sex": "m"}


def test_the_page_shows_one_patient_without_a_table_and_a_table_again_when_one_is_opened(
    qtbot: QtBot, app_context: AppContext, table_model: Path, tmp_path: Path
) -> None:
    page = TablesPage(app_context)
    for widget in (page, *page.toolbar_widgets()):
        qtbot.addWidget(widget)
    page.show()
    qtbot.mouseClick(page.one_patient, Qt.MouseButton.LeftButton)
    assert page.stack.currentWidget() is page.patient
    page.open(write_table(tmp_path / "stays.csv"))
    qtbot.waitUntil(lambda: page.opened is not None, timeout=10_000)
    assert page.stack.currentIndex() == 1
    page.shut_down()
