"""The plan on the Train page: what is shown of it, that the form's own values hold, and the trial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.context import AppContext
from gui.train.page import TrainPage


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> Iterator[TrainPage]:
    made = TrainPage(context)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    yield made
    made.shut_down()


def planned(qtbot: QtBot, page: TrainPage, tree: dict[str, Any], **trainer: Any) -> None:
    """Show a tree whose trainer values are left to the planner, and wait for its plan."""
    free = dict.fromkeys(("batch_size", "patches_per_case", "validate_every"))
    page.settings.set_tree({**tree, "trainer": {**tree["trainer"], **free, **trainer}})
    qtbot.waitUntil(lambda: page.plan.proposal is not None, timeout=10_000)


def shown_value(page: TrainPage, key: str) -> str:
    found = page.plan.findChild(QLabel, f"plan:{key}")
    assert found is not None
    return found.text()


def placeholder(page: TrainPage, key: str) -> str:
    return str(page.settings.form.editor(key).line.placeholderText())


def test_a_checked_data_set_shows_its_plan_and_fills_the_empty_fields(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]
) -> None:
    assert page.stack.currentWidget() is page.empty
    planned(qtbot, page, tiny_tree)
    assert page.stack.currentWidget() is page.plan
    assert shown_value(page, "data.spacing_mm") == "1 × 1 × 1"
    assert placeholder(page, "trainer.batch_size") == f"planned: {shown_value(page, 'trainer.batch_size')}"
    assert page.settings.tree()["trainer"]["batch_size"] is None, "a placeholder is no value"


def test_what_is_set_in_the_form_changes_the_plan(qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]) -> None:
    planned(qtbot, page, tiny_tree)
    page.settings.set_value("trainer.batch_size", 3)
    qtbot.waitUntil(lambda: shown_value(page, "trainer.batch_size") == "3", timeout=10_000)
    assert not placeholder(page, "trainer.batch_size").startswith("planned:")


def test_what_cannot_work_is_said_in_the_plan(qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]) -> None:
    planned(qtbot, page, tiny_tree)
    page.settings.set_value("data.patch_size", [64, 64, 64])
    qtbot.waitUntil(lambda: page.plan.refused, timeout=10_000)
    assert any("larger than every case" in told.text() for told in page.plan.findChildren(QLabel))
    assert page.plan.measure_button.isHidden()


def test_without_data_no_field_says_that_it_is_planned(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]
) -> None:
    planned(qtbot, page, tiny_tree)
    page.settings.set_value("data.path", None)
    qtbot.waitUntil(lambda: page.plan.proposal is None, timeout=10_000)
    assert page.stack.currentWidget() is page.empty
    assert not placeholder(page, "trainer.batch_size").startswith("planned:")


def test_a_trial_is_cancelled_by_its_button_and_by_another_setting(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any], tmp_path: Path
) -> None:
    planned(qtbot, page, tiny_tree)
    for end in (page.plan.cancel_button.click, lambda: page.settings.set_value("trainer.batch_size", 3)):
        page.plan.measure_button.click()
        assert page.plan.cancel_button.isVisibleTo(page.plan)
        end()
        qtbot.waitUntil(lambda: page.plan.measure_button.isVisibleTo(page.plan), timeout=10_000)
        assert page.plan.bar.isHidden()
