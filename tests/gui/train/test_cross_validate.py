"""Cross-validation from the Train page: what is asked, and a job that is watched and stopped as one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from core.catalog import Catalog
from core.catalog.groups import groups, runs_of
from gui.context import AppContext
from gui.train.cross_validate import CrossValidateDialog
from gui.train.page import TrainPage


@pytest.fixture
def page(qtbot: QtBot, context: AppContext, tiny_tree: dict[str, Any]) -> Iterator[TrainPage]:
    made = TrainPage(context)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.settings.set_tree(tiny_tree)
    made.show()
    qtbot.waitUntil(lambda: not made.blocker(), timeout=10_000)
    yield made
    made.shut_down()
    made.hide()


def test_the_dialog_says_what_the_choice_means(qtbot: QtBot) -> None:
    dialog = CrossValidateDialog(24, 0.1, 8.0)
    qtbot.addWidget(dialog)
    assert "2 cases are kept for the test" in dialog.told.text()
    assert "5 runs, each with about 4 of 22 cases" in dialog.told.text() and "40 minutes" in dialog.told.text()
    dialog.held_out.setValue(0.9)
    assert not dialog.start.isEnabled() and "too few" in dialog.told.text()
    dialog.held_out.setValue(0.0)
    with qtbot.waitSignal(dialog.start_requested) as asked:
        dialog.start.click()
    assert asked.args == [5, 0.0]


def test_folds_are_trained_one_after_another_and_each_is_shown(qtbot: QtBot, page: TrainPage) -> None:
    page.cross_validate.click()
    dialog = page.findChild(CrossValidateDialog)
    assert dialog is not None
    dialog.folds.setValue(2)
    seen: list[str] = []
    page.engine.started.connect(seen.append)
    with qtbot.waitSignal(page.engine.ended, timeout=120_000) as ended:
        dialog.start.click()
        assert page.engine.job is not None and page.engine.job.title == "Cross-validating balls"
        assert not page.cross_validate.isEnabled()
    assert ended.args[1] is None
    with Catalog() as catalog:
        (group,) = groups(catalog)
        runs = runs_of(catalog, group.id)
    assert [run.state for run in runs.values()] == ["finished", "finished"]
    assert seen == [run.id for run in runs.values()] and page.watcher.run_id == seen[-1]


def test_cancelling_the_job_stops_all_folds(qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]) -> None:
    page.settings.set_tree({**tiny_tree, "trainer": {**tiny_tree["trainer"], "epochs": 5000}})
    qtbot.waitUntil(lambda: not page.blocker(), timeout=10_000)
    page._start_folds(3, 0.0)
    qtbot.waitUntil(lambda: page.history.run is not None and page.history.run.epoch > 0, timeout=60_000)
    with qtbot.waitSignal(page.engine.ended, timeout=30_000):
        page.engine.job.cancel()
    with Catalog() as catalog:
        assert [(run.fold, run.state) for run in catalog.runs()] == [(0, "stopped")]
