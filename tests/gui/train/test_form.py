"""The form made from the schema: every type of field, both ways, and what it says of wrong values."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from core import config
from core.registry import Part
from gui.train.field_messages import message_for
from gui.train.fields import BoolEditor, ChoiceEditor, ListEditor, ManyEditor, NumberEditor, PairsEditor, PathEditor
from gui.train.form import ExperimentForm


class Small(Part):
    name: Literal["small"] = "small"
    width: int = Field(4, ge=1, title="Width")


class Large(Part):
    name: Literal["large"] = "large"
    width: int = Field(64, ge=1, title="Width")
    depth: float = 2.5


class Inner(Part):
    axes: list[Literal["x", "y", "z"]] = Field(["x"])


class Block(Part):
    count: int = 3
    rate: float = 1e-5
    word: str = "abc"
    flag: bool = True
    choice: Literal["one", "two"] = "two"
    pair: tuple[float, float] = (0.5, 0.25)
    size: tuple[int, int, int] | None = None
    many: list[int] = Field([1, 2])
    weights: list[float] | None = None
    place: Path | None = None
    limit: int | None = None
    names: dict[int, str] | None = None
    regions: dict[str, list[int]] | None = None
    odd: list[list[int]] = Field([[1], [2, 3]])
    inner: Inner = Inner()


class Tree(Part):
    name: str = "t"
    block: Block = Block()
    model: Annotated[Small | Large, Field(discriminator="name")] = Small()


FULL: dict[str, Any] = {
    "name": "other",
    "block": {
        "count": 7, "rate": 3e-7, "word": "x, y", "flag": False, "choice": "one", "pair": [0.9, 0.999],
        "size": [40, 56, 40], "many": [16, 32, 64], "weights": [1.0, 0.5], "place": "/data/a b", "limit": 5,
        "names": {1: "Anterior", 2: "Posterior"}, "regions": {"whole tumor": [1, 2], "core": [2]},
        "odd": [[4], [5, 6]], "inner": {"axes": ["z", "x"]},
    },
    "model": {"name": "large", "width": 32, "depth": 1.5},
}  # fmt: skip


def type_in(form: ExperimentForm, key: str, text: str) -> None:
    editor = form.editor(key)
    assert editor is not None
    editor.line.setText(text)
    editor.line.textEdited.emit(text)


def test_every_type_of_field_survives_the_form(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    form.set_tree(FULL)
    assert form.tree() == FULL
    Tree.model_validate(form.tree())


def test_what_a_tree_leaves_out_takes_its_default(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    form.set_tree({})
    assert Tree.model_validate(form.tree()) == Tree()
    assert form.tree()["block"]["size"] is None


def test_regions_are_typed_in_one_line(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    type_in(form, "block.regions", "whole tumor: 1 2 3, core: 2")
    assert form.tree()["block"]["regions"] == {"whole tumor": [1, 2, 3], "core": [2]}
    form.set_tree(form.tree())
    assert form.editor("block.regions").line.text() == "whole tumor: 1 2 3, core: 2"
    for text, value in (("", None), ("{}", {})):
        type_in(form, "block.regions", text)
        assert form.tree()["block"]["regions"] == value


def test_each_type_has_its_own_editor(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    kinds = {
        "block.count": NumberEditor, "block.flag": BoolEditor, "block.choice": ChoiceEditor, "block.size": ListEditor,
        "block.place": PathEditor, "block.inner.axes": ManyEditor, "block.names": PairsEditor,
    }  # fmt: skip
    for key, kind in kinds.items():
        assert type(form.editor(key)) is kind
    assert form.editor("block.size").line.text() == ""


def test_an_edit_changes_the_tree_and_is_told_once(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    told = []
    form.changed.connect(lambda: told.append(form.tree()["block"]["size"]))
    type_in(form, "block.size", "8 x 9 x 10")
    assert told == [[8, 9, 10]]
    form.set_tree(FULL)
    assert len(told) == 1


def test_text_that_is_no_number_is_kept_as_typed(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    type_in(form, "block.count", "seven")
    type_in(form, "block.many", "1, two")
    assert form.tree()["block"]["count"] == "seven"
    assert form.tree()["block"]["many"] == [1, "two"]
    form.set_tree(form.tree())
    assert form.editor("block.count").line.text() == "seven"


def test_choosing_another_part_swaps_its_fields_and_keeps_the_first_ones(qtbot: QtBot) -> None:
    form = ExperimentForm(Tree)
    qtbot.addWidget(form)
    type_in(form, "model.width", "11")
    combo = form.editor("model.name").combo
    combo.setCurrentIndex(combo.findData("large"))
    assert form.tree()["model"] == {"name": "large", "width": 64, "depth": 2.5}
    combo.setCurrentIndex(combo.findData("small"))
    assert form.tree()["model"] == {"name": "small", "width": 11}


def test_unknown_keys_and_parts_are_kept_and_said_to_be_wrong(qtbot: QtBot) -> None:
    tree = config.to_tree(config.experiment_class()())
    tree["trainer"]["epoch"] = 5
    tree["optimizer"] = {"name": "lion", "lr": 1}
    form = ExperimentForm(config.experiment_class())
    qtbot.addWidget(form)
    form.set_tree(tree)
    assert form.tree()["trainer"]["epoch"] == 5
    assert form.tree()["optimizer"] == {"name": "lion", "lr": 1}
    form.show_problems(config.problems(tree))
    assert "epoch: is not a known key" in form.root.blocks["trainer"].message.text()
    assert form.root.blocks["optimizer"].row.message.text().startswith("must be one of adam, adamw")


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("optimizer.weight_decay", "-1", "must be 0 or more"),
        ("optimizer.lr", "fast", "must be a number"),
        ("trainer.epochs", "2.5", "must be a whole number"),
        ("trainer.accumulate", "", "must be a whole number"),
        ("data.patch_size", "32 x 32", "needs 3 values"),
        ("data.patch_size", "1 2 3 4", "needs 3 values"),
        ("model.channels", "16, many", "value 2 must be a whole number"),
        ("model.channels", "16, 32", "needs at least 3 values"),
        ("name", "", "must not be empty"),
    ],
)
def test_a_wrong_value_is_told_under_its_field_in_plain_words(qtbot: QtBot, key: str, text: str, message: str) -> None:
    form = ExperimentForm(config.experiment_class())
    qtbot.addWidget(form)
    form.set_tree(config.to_tree(config.experiment_class()()))
    type_in(form, key, text)
    problems = config.problems(form.tree())
    assert message_for(problems, key, length=form.editor(key).length) == message
    form.show_problems(problems)
    assert form.editor(key).line.property("invalid") is True
    assert form.editor(key).line.text() == text
    form.show_problems({})
    assert form.editor(key).line.property("invalid") is False


def test_a_problem_under_more_unfolds_it(qtbot: QtBot) -> None:
    form = ExperimentForm(config.experiment_class())
    qtbot.addWidget(form)
    form.show()
    type_in(form, "data.augment.rotate_deg", "999")
    assert form.root.blocks["data"].rest.isHidden()
    form.show_problems(config.problems(form.tree()))
    assert form.editor("data.augment.rotate_deg").isVisible()


def test_arrow_keys_step_a_number_by_its_leading_digit(qtbot: QtBot) -> None:
    form = ExperimentForm(config.experiment_class())
    qtbot.addWidget(form)
    line = form.editor("optimizer.lr").line
    line.setText("0.003")
    qtbot.keyClick(line, Qt.Key.Key_Up)
    assert line.text() == "0.004"
    qtbot.keyClick(line, Qt.Key.Key_Down)
    assert line.text() == "0.003"


def test_every_field_has_an_object_name_and_an_accessible_name(qtbot: QtBot) -> None:
    form = ExperimentForm(config.experiment_class())
    qtbot.addWidget(form)
    for block in form.root.blocks.values():
        inner = getattr(block, "form", block)
        for row in inner.rows.values():
            target = row.editor.focusProxy() or row.editor
            assert target.accessibleName(), row.key
            assert target.objectName().startswith(f"field:{row.key}")


@pytest.mark.parametrize(
    "module",
    [
        "charts.axis", "metric_names", "train.changes", "train.curves", "train.data_kinds", "train.edits",
        "train.fields", "train.guide", "train.history", "train.preview", "train.settings", "train.values",
        "train.yaml_editor",
    ],
)  # fmt: skip
def test_the_examples_in_the_docstrings_hold(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"gui.{module}")).failed == 0
