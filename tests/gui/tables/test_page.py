"""The Tables page: a dropped table is looked at, mended, handed to the Train page and predicted row by row."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.control import JobControl
from core.data.tables.read import read_table
from core.errors import Cancelled
from gui.context import AppContext
from gui.main_window import MainWindow
from gui.tables.columns_view import EMPTY, HOLDS, VALUES
from gui.tables.page import TablesPage
from gui.tables.reading import open_table
from tests.gui.tables_making import write_table


@pytest.fixture
def page(qtbot: QtBot, app_context: AppContext) -> Iterator[TablesPage]:
    made = TablesPage(app_context)
    for widget in (made, *made.toolbar_widgets()):
        qtbot.addWidget(widget)
    made.resize(1300, 800)
    made.show()
    yield made
    made.shut_down()


def opened(qtbot: QtBot, page: TablesPage, path: Path) -> None:
    page.open(path)
    qtbot.waitUntil(lambda: page.opened is not None and page.opened.path == path, timeout=10_000)


def test_doctests() -> None:
    assert doctest.testmod(importlib.import_module("gui.tables.reading")).failed == 0


def test_an_identifier_alone_does_not_leave_a_table_without_columns(tmp_path: Path) -> None:
    told = [finding.message for finding in open_table(write_table(tmp_path / "t.csv"), {}, JobControl()).findings]
    assert any("as an identifier is" in text for text in told)
    assert not any("No column is left" in text for text in told)
    ids = tmp_path / "ids.csv"
    ids.write_text("record,same\n" + "".join(f"{n},1\n" for n in range(60)))
    told = [finding.message for finding in open_table(ids, {}, JobControl()).findings]
    assert "No column is left to learn from." in told


def test_a_table_shows_its_rows_and_how_each_column_is_spread(qtbot: QtBot, page: TablesPage, tmp_path: Path) -> None:
    opened(qtbot, page, write_table(tmp_path / "stays.csv"))
    assert page.line.text() == "120 rows · 5 columns"
    columns = page.columns.model
    age = columns.index(1, EMPTY)
    assert age.data() == "12%"
    assert "median" in columns.index(1, VALUES).data(Qt.ItemDataRole.ToolTipRole)
    assert sum(page.opened.summaries[1].counts) == 106
    assert page.rows.index(0, 0).data() == "1000"
    assert page.rows.index(0, 1).data() == ""
    page.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    ages = [page.rows.index(row, 1).data() for row in range(120)]
    assert float(ages[0]) == max(float(age) for age in ages if age)
    assert ages[-1] == ""
    assert not page.grab().isNull()


def test_what_a_column_holds_can_be_mended_and_goes_with_the_training(
    qtbot: QtBot, page: TablesPage, tmp_path: Path
) -> None:
    opened(qtbot, page, write_table(tmp_path / "stays.csv"))
    page.columns.model.setData(page.columns.model.index(3, HOLDS), "category")
    qtbot.waitUntil(lambda: page.opened.kinds == {"lactate": "category"}, timeout=10_000)
    assert page.columns.model.index(3, HOLDS).data() == "category*"
    page.outcome.setCurrentIndex(page.outcome.findData("died"))
    with qtbot.waitSignal(page.context.training_requested) as asked:
        page.train.click()
    path, kind, values = asked.args
    assert (path.name, kind) == ("stays.csv", "table")
    assert values == {"data.target": "died", "data.kinds": {"lactate": "category"}}


def test_rows_are_predicted_saved_and_one_is_looked_at(
    qtbot: QtBot, page: TablesPage, tmp_path: Path, table_model: Path
) -> None:
    page.context.models_changed.emit()
    qtbot.waitUntil(lambda: page.chosen_model is not None, timeout=10_000)
    opened(qtbot, page, write_table(tmp_path / "unseen.csv", seed=1))
    page.predict.click()
    qtbot.waitUntil(lambda: page.predicted is not None, timeout=30_000)
    predicted = page.predicted
    assert predicted.output.read_text().count("\n") == 121
    assert [page.rows.headerData(n, Qt.Orientation.Horizontal) for n in (0, 1)] == ["Prediction", "P(1)"]
    truth = page.opened.table["died"].values
    assert ((predicted.probabilities[:, 1] > 0.5) == (truth == 1)).mean() > 0.7
    assert page.row_card.isVisible()
    assert page.row_card.figure.text() == f"{predicted.probabilities[0, 1]:.0%}"
    assert "probability of died = 1" in page.row_card.note.text()
    page.row_card.explain.click()
    qtbot.waitUntil(lambda: page.row_card._job is None, timeout=30_000)
    assert page.row_card.bars.isVisible() or "cannot say" in page.row_card.note.text()


def test_an_earlier_prediction_comes_back_as_it_was_and_a_changed_table_is_refused(
    qtbot: QtBot, page: TablesPage, tmp_path: Path, table_model: Path
) -> None:
    page.context.models_changed.emit()
    qtbot.waitUntil(lambda: page.chosen_model is not None, timeout=10_000)
    path = write_table(tmp_path / "unseen.csv", seed=1)
    opened(qtbot, page, path)
    page.columns.model.setData(page.columns.model.index(2, HOLDS), "text")
    qtbot.waitUntil(lambda: page.opened.kinds == {"sex": "text"}, timeout=10_000)
    with qtbot.waitSignal(page.context.predictions_changed, timeout=30_000):
        page.predict.click()
    before = page.predicted
    [row] = page.context.catalog().predictions()
    assert (row.scan, row.task) == (path, "tabular")
    assert row.answer.startswith("120 rows: died = ")
    opened(qtbot, page, write_table(tmp_path / "other.csv"))
    assert page.predicted is None
    page.open_prediction(row)
    qtbot.waitUntil(lambda: page.predicted is not None, timeout=10_000)
    assert page.opened.path == path and page.opened.kinds == {"sex": "text"}
    assert page.predicted.outcome == "died" and page.predicted.classes == ("0", "1")
    np.testing.assert_allclose(page.predicted.probabilities, before.probabilities, atol=1e-6)
    write_table(path, rows=60)
    with qtbot.waitSignal(page.context.notice, timeout=10_000) as told:
        page.open_prediction(row)
    assert "other rows" in told.args[1]


def test_what_is_no_table_is_told_and_the_one_before_stays(qtbot: QtBot, page: TablesPage, tmp_path: Path) -> None:
    opened(qtbot, page, write_table(tmp_path / "stays.csv"))
    (tmp_path / "empty.csv").write_bytes(b"")
    with qtbot.waitSignal(page.context.notice, timeout=10_000) as told:
        page.open(tmp_path / "empty.csv")
    assert "empty" in told.args[1]
    assert page.opened.path.name == "stays.csv"


def test_reading_is_cancelled_at_once(tmp_path: Path) -> None:
    control = JobControl()
    control.cancel()
    with pytest.raises(Cancelled):
        open_table(write_table(tmp_path / "stays.csv"), {}, control)


def test_a_dropped_table_opens_on_its_page_and_fills_the_train_page(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = write_table(tmp_path / "stays.csv")
    window.context.open_requested.emit([path])
    page = window.pages["tables"]
    qtbot.waitUntil(lambda: page.opened is not None, timeout=10_000)
    assert window.page == "tables"
    page.outcome.setCurrentIndex(page.outcome.findData("died"))
    page.train.click()
    assert window.page == "train"
    train = window.pages["train"]
    assert train.task.data_kind == "table"
    assert train.settings.tree()["data"]["target"] == "died"
    qtbot.waitUntil(lambda: train.check.dataset is not None, timeout=10_000)
    assert train.check.dataset.table is page.opened.table  # not read a second time
    train.shut_down()


def test_a_column_of_few_numbers_is_drawn_by_value(tmp_path: Path) -> None:
    found = open_table(write_table(tmp_path / "stays.csv"), {}, JobControl())
    died = found.summaries[4]
    table = read_table(tmp_path / "stays.csv")
    assert died.counts == tuple(np.bincount(table["died"].values.astype(int)))
