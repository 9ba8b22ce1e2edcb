"""A cross-validation on the Runs page: figures, comparison, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from core import config
from core.catalog.groups import GroupRow
from core.training.cross_validation import prepare
from gui.context import AppContext
from gui.runs.page import RunsPage


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> Iterator[RunsPage]:
    made = RunsPage(context)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    yield made
    made.hide()


def train(tree: dict[str, Any], only: list[int] | None = None) -> GroupRow:
    validation = prepare(config.parse(tree), 3)
    validation.train(only)
    return validation.group


def shown(qtbot: QtBot, page: RunsPage, count: int) -> None:
    page.show()
    qtbot.waitUntil(lambda: len(page.model.rows) == count, timeout=5_000)
    page.select([page.model.rows[0].run.id])
    qtbot.waitUntil(lambda: page.folds.results is not None, timeout=10_000)


def cells(table: Any) -> list[list[str]]:
    return [[table.item(row, n).text() for n in range(table.columnCount())] for row in range(table.rowCount())]


def test_folds_are_measured_and_compared(qtbot: QtBot, page: RunsPage, tiny_tree: dict[str, Any]) -> None:
    train(tiny_tree)
    shown(qtbot, page, 3)
    panel = page.folds
    assert page.below.currentWidget() is panel and "3 of 3 folds finished" in panel.title.text()
    assert panel.table.rowCount() == 0 and "Not measured yet" in panel.note.text()
    panel.measure.click()
    qtbot.waitUntil(lambda: panel.table.rowCount() > 0, timeout=60_000)
    lines = cells(panel.table)
    assert [line[0] for line in lines] == [
        "Fold 0",
        "Fold 1",
        "Fold 2",
        "Mean of folds ± SD",
        "Mean of cases ± SD",
        "Missed",
    ]
    assert [line[1] for line in lines[:3]] == ["2", "2", "2"] and "±" in lines[3][2]
    qtbot.waitUntil(lambda: panel.measure.isHidden(), timeout=5_000)
    panel.against.setCurrentIndex(1)
    panel.against.activated.emit(1)
    qtbot.waitUntil(lambda: panel.differences.rowCount() > 0, timeout=60_000)
    assert "average-shape" in panel.difference_title.text() and "6 cases" in panel.difference_title.text()
    assert " to " in cells(panel.differences)[-1][3]
    page.cross_validation.click()
    assert page.below.currentWidget() is page.compare


def test_open_folds_can_be_gone_on_with(qtbot: QtBot, page: RunsPage, tiny_tree: dict[str, Any]) -> None:
    group = train(tiny_tree, [1])
    shown(qtbot, page, 1)
    panel = page.folds
    assert "1 of 3 folds finished" in panel.title.text()
    assert not panel.publish.isEnabled() and not panel.resume.isHidden()
    with qtbot.waitSignal(page.engine.ended, timeout=120_000):
        panel.resume.click()
    page.refresh()
    qtbot.waitUntil(lambda: len(page.model.rows) == 3, timeout=5_000)
    assert {row.run.run_group for row in page.model.rows} == {group.id}
    qtbot.waitUntil(lambda: panel.publish.isEnabled(), timeout=10_000)


def test_a_run_by_itself_shows_its_curves(qtbot: QtBot, page: RunsPage, write_run: Any) -> None:
    write_run("a")
    page.show()
    qtbot.waitUntil(lambda: len(page.model.rows) == 1, timeout=5_000)
    page.select(["a"])
    assert page.below.currentWidget() is page.compare and page.cross_validation.isHidden()
