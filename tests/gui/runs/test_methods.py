"""A cross-validation on a table: begun from the Train page, measured beside simple methods on the Runs page."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from core import config
from core.training.cross_validation import prepare
from gui.context import AppContext
from gui.runs import methods
from gui.runs.page import RunsPage
from gui.train.cross_validate import CrossValidateDialog
from gui.train.page import TrainPage
from tests.core.tables import tree as table_tree
from tests.gui.tables_making import write_table

ANSWER: dict[str, Any] = {
    "name": "tiny table", "missing": {"1": "stopped"}, "remarks": ["Fold 0. Of 3 settings tried"],
    "metrics": {"oof/auroc": 0.9, "oof/loss": 0.4},
    "intervals": {"oof/auroc": [0.85, 0.95]}, "cases": [],
    "against": [
        {"name": "xgboost", "title": "XGBoost", "metrics": {"oof/auroc": 0.88, "oof/loss": 0.5}, "intervals": {},
         "comparison": {"auroc": {"difference": 0.02, "interval": [-0.01, 0.05], "p": 0.2}}},
    ],
}  # fmt: skip


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> Iterator[RunsPage]:
    made = RunsPage(context)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    yield made
    made.hide()


def test_doctest() -> None:
    assert doctest.testmod(methods).failed == 0


def test_methods_stand_beside_each_other_with_their_difference_and_its_test(
    qtbot: QtBot, page: RunsPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = table_tree(write_table(tmp_path / "stays.csv"))
    tree["trainer"]["epochs"] = 1
    prepare(config.parse(tree), 2).train()
    monkeypatch.setattr(methods, "measure", lambda *_: ANSWER)
    page.show()
    qtbot.waitUntil(lambda: len(page.model.rows) == 2, timeout=10_000)
    page.select([page.model.rows[0].run.id])
    panel = page.methods
    qtbot.waitUntil(lambda: page.below.currentWidget() is panel and bool(panel.title.text()), timeout=10_000)
    assert "2 of 2 folds finished" in panel.title.text()
    panel.measure.click()
    qtbot.waitUntil(lambda: panel.table.rowCount() == 2, timeout=10_000)
    line = [panel.table.item(1, n).text() for n in range(panel.table.columnCount())]
    assert line == ["XGBoost", "0.880", "0.500", "-0.020 (-0.050 to +0.010)", "0.200"]
    assert "Fold 1: stopped" in panel.note.text() and "Of 3 settings" in panel.note.text()
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _url: True)
    panel.save_report(tmp_path / "folds.html")
    qtbot.waitUntil((tmp_path / "folds.html").is_file, timeout=10_000)
    assert "XGBoost" in (tmp_path / "folds.html").read_text()
    panel.publish.click()
    qtbot.waitUntil(lambda: not page.publisher.busy, timeout=60_000)
    assert "Published as tiny-table, version 1.0" in page.publisher.bar.accessibleName()


def test_the_train_page_offers_as_many_folds_as_the_table_has_rows_for(
    qtbot: QtBot, context: AppContext, tmp_path: Path
) -> None:
    page = TrainPage(context)
    qtbot.addWidget(page)
    page.settings.set_tree(table_tree(write_table(tmp_path / "stays.csv")))
    qtbot.waitUntil(lambda: page.start.isEnabled(), timeout=20_000)
    page.cross_validate.click()
    dialog = page.findChild(CrossValidateDialog)
    assert "of 120 cases for validation" in dialog.told.text()
    dialog.findChild(QAbstractButton, "cancel-folds").click()
    page.shut_down()
