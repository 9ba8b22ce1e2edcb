"""Which model is proposed, and that a choice is remembered."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from gui.context import AppContext
from gui.predict.model_card import choice_of, key
from tests.gui.predict.making import make_package


def test_an_imported_model_is_used_only_once_it_is_chosen(
    qtbot: QtBot, isocenter_home: Path, app_context: AppContext
) -> None:
    make_package(isocenter_home, name="abdomen")
    choice = choice_of(app_context)
    choice.reload()
    assert [package.name for package in choice.packages] == ["abdomen", "hippocampus"]
    assert choice.current is not None and choice.current.name == "hippocampus"
    choice.choose("abdomen-1.0")
    again = AppContext(settings=app_context.settings)
    remembered = choice_of(again)
    remembered.reload()
    assert remembered.current is not None and key(remembered.current) == "abdomen-1.0"
    assert again.close()


def test_without_the_usual_model_the_first_is_proposed(context: AppContext) -> None:
    choice = choice_of(context)
    choice.reload()
    assert choice.current is not None and choice.current.name == "tiny"
