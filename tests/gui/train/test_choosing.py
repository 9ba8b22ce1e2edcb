"""Settings that name something that is there: columns of a cohort, a run to begin with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field
from pytestqt.qtbot import QtBot

from core import config
from core.registry import Part
from gui.train.columns import ColumnEditor, ColumnsEditor
from gui.train.form import ExperimentForm
from gui.train.run_editor import RunEditor


def test_a_run_to_begin_with_is_chosen_from_those_that_have_ended(qtbot: QtBot, write_run: Callable[..., str]) -> None:
    write_run("done", name="first")
    write_run("going", state="running")
    editor = RunEditor(["segmentation"], optional=True)
    qtbot.addWidget(editor)
    editor.combo.look()
    assert [editor.combo.itemText(n) for n in range(editor.combo.count())] == ["done"]
    assert editor.value() is None
    with qtbot.waitSignal(editor.changed):
        editor.combo.setCurrentIndex(0)
    assert editor.value() == "done"
    other = RunEditor(["tabular"], optional=True)
    qtbot.addWidget(other)
    other.combo.look()
    assert other.combo.count() == 0
    other.set_value("/weights/encoder.safetensors")
    assert other.value() == "/weights/encoder.safetensors"


def test_the_columns_of_a_cohort_are_chosen_in_its_form(qtbot: QtBot) -> None:
    form = ExperimentForm(config.experiment_class("alzheimers"))
    qtbot.addWidget(form)
    form.show_columns({"rid": "text", "age": "number", "score": "number"})
    target = form.editor("data.columns.target")
    assert isinstance(target, ColumnEditor)
    assert target.combo.lineEdit().placeholderText() == "found by its name"
    assert [target.combo.itemText(n) for n in range(3)] == ["rid", "age", "score"]
    assert isinstance(form.editor("data.features"), ColumnsEditor)  # made later, and told of the columns too
    assert form.editor("data.features")._columns["age"] == "number"


class Marked(Part):
    start: str | None = Field(None, json_schema_extra={"of": "runs", "tasks": ["x"]})
    other: str | None = Field(None, json_schema_extra={"of": "something else"})


class Tree(Part):
    name: str = "t"
    block: Marked = Marked()


def test_a_mark_that_is_not_known_changes_nothing(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    kinds: dict[str, Any] = {key: type(form.editor(f"block.{key}")).__name__ for key in ("start", "other")}
    assert kinds == {"start": "RunEditor", "other": "TextEditor"}
