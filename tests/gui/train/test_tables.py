"""The Train page with a table: its columns to choose from, a real short training, and what is logged of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from core import config, registry
from gui.context import AppContext
from gui.train.columns import ColumnEditor, ColumnsDialog
from gui.train.data_kinds import kind_at
from gui.train.page import TrainPage
from tests.core.tables import tree as table_tree
from tests.gui.making import drop
from tests.gui.tables_making import write_table


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> Iterator[TrainPage]:
    made = TrainPage(context)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    yield made
    made.shut_down()


def checked(qtbot: QtBot, page: TrainPage) -> None:
    qtbot.waitUntil(lambda: page.check.dataset is not None, timeout=10_000)


@pytest.mark.parametrize("task", list(registry.parts("task")))
def test_every_registered_task_has_its_form_with_the_defaults_in_it(page: TrainPage, task: str) -> None:
    page.settings.use_task(task)
    assert page.settings.chooser.combo.currentData() == task
    assert page.settings.chooser.line.text()
    assert page.settings.problems == {}
    assert page.settings.form.tree() == page.settings.tree()
    assert page.cross_validate.isHidden() != page.task.has_folds


def test_a_table_dropped_anywhere_on_the_page_is_trained_on_without_the_settings_of_other_data(
    qtbot: QtBot, page: TrainPage, tmp_path: Path
) -> None:
    assert page.settings.task == config.DEFAULT_TASK
    drop(page, write_table(tmp_path / "patients.csv"))
    qtbot.waitUntil(lambda: page.settings.task == "tabular", timeout=10_000)
    data = page.settings.tree()["data"]
    assert (data["path"], data["target"], data["leave_out"]) == (str(tmp_path / "patients.csv"), "", [])
    page.settings.use_preset("physionet2012-table")
    assert page.settings.tree()["data"]["target"] == "In-hospital_death"


def test_what_is_dropped_is_told_apart_by_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "participants.tsv").write_text("participant_id\n")
    (tmp_path / "stays").mkdir()
    (tmp_path / "stays" / "1.txt").write_text("Time,Parameter,Value\n00:00,HR,80\n")
    table = write_table(tmp_path / "table.csv")
    assert kind_at(tmp_path / "cohort", "scans") == "cohort"
    assert kind_at(tmp_path / "stays", "table") == "stays"
    assert kind_at(table, "scans") == "table"
    assert kind_at(table, "cohort") == "cohort"  # which may be a table too
    assert kind_at(tmp_path, "table") == "scans"
    (tmp_path / "scan.nii.gz").write_bytes(b"")
    assert kind_at(tmp_path / "scan.nii.gz", "scans") == ""


def test_the_outcome_is_chosen_from_the_columns_of_the_dropped_table(
    qtbot: QtBot, page: TrainPage, tmp_path: Path
) -> None:
    page.choose_data(write_table(tmp_path / "stays.csv"), kind="table")
    page.settings.set_value("data.target", "")
    qtbot.waitUntil(lambda: page.check.dataset is not None and not page.check.dataset.usable, timeout=10_000)
    assert "No outcome is chosen" in page.reason.text()
    editor = page.settings.form.editor("data.target")
    assert isinstance(editor, ColumnEditor)
    assert [editor.combo.itemText(n) for n in range(editor.combo.count())] == [
        "record",
        "age",
        "sex",
        "lactate",
        "died",
    ]
    editor.combo.setCurrentIndex(4)
    qtbot.waitUntil(lambda: page.start.isEnabled(), timeout=10_000)
    assert page.settings.tree()["data"]["target"] == "died"


def test_columns_are_left_out_and_their_kinds_mended_by_ticking(qtbot: QtBot, page: TrainPage, tmp_path: Path) -> None:
    page.settings.set_tree(table_tree(write_table(tmp_path / "stays.csv")))
    checked(qtbot, page)
    page.settings.form.editor("data.leave_out").ask()
    dialog = page.findChild(ColumnsDialog)
    dialog.table.item(0, 0).setCheckState(Qt.CheckState.Checked)
    dialog.findChild(QAbstractButton, "columns-take").click()
    assert page.settings.tree()["data"]["leave_out"] == ["record"]
    page.settings.form.editor("data.kinds").ask()
    dialog = page.findChildren(ColumnsDialog)[-1]
    choice = dialog._choices["lactate"]
    choice.setCurrentIndex(choice.findData("category"))
    dialog.findChild(QAbstractButton, "columns-take").click()
    assert page.settings.tree()["data"]["kinds"] == {"lactate": "category"}
    qtbot.waitUntil(lambda: page.check.dataset is not None and page.check.dataset.columns["lactate"] == "category")


def test_a_table_is_trained_on_watched_and_published(qtbot: QtBot, page: TrainPage, tmp_path: Path) -> None:
    page.settings.set_tree(table_tree(write_table(tmp_path / "stays.csv")))
    qtbot.waitUntil(lambda: page.start.isEnabled(), timeout=10_000)
    page.start.click()
    qtbot.waitUntil(lambda: page.header.pill.state == "finished" and not page.engine.busy, timeout=60_000)
    qtbot.waitUntil(lambda: "auroc" in page.dashboard.cards, timeout=5_000)
    assert page.dashboard.monitor.title.text() == "Loss, validation"
    assert page.dashboard.pace.title.text() == "Rows / s"
    assert page.preview.isHidden()
    assert next(iter(page.dashboard.cards)) == "loss"
    with qtbot.waitSignal(page.context.models_changed, timeout=60_000):
        page.header.publish.click()
    assert page.publisher.bar.isVisible()


def test_each_task_keeps_its_own_settings_and_steps_back(qtbot: QtBot, context: AppContext, page: TrainPage) -> None:
    page.settings.use_task("tabular")
    page.settings.set_value("trainer.epochs", 7)
    page.settings.set_value("trainer.epochs", 70)
    page.settings.use_task("segmentation")
    assert not page.settings.undo_button.isEnabled()
    page.settings.use_task("tabular")
    assert page.settings.tree()["trainer"]["epochs"] == 70
    page.settings.undo()
    assert page.settings.tree()["trainer"]["epochs"] not in (7, 70)
    page.settings.redo()
    again = TrainPage(context)
    qtbot.addWidget(again)
    assert again.settings.task == "tabular"
    assert again.settings.tree()["trainer"]["epochs"] == 70
    again.shut_down()


def test_a_yaml_of_another_task_brings_its_form(page: TrainPage, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: t\ntask: {name: tabular, mixup: 0.5}\ndata: {target: died}\n")
    page.settings.use_task("segmentation")
    assert page.settings.open(tmp_path / "other.yaml")
    assert page.settings.task == "tabular"
    assert page.settings.form.editor("task.mixup").value() == 0.5


def test_a_block_that_is_off_is_no_value_until_it_is_ticked(page: TrainPage) -> None:
    page.settings.use_task("tabular")
    page.settings.set_value("task.distillation", None)
    block = page.settings.form.root.blocks["task"].named("distillation")
    assert page.settings.form.tree()["task"]["distillation"] is None
    block.box.setChecked(True)
    assert page.settings.tree()["task"]["distillation"]["teacher"] == ["xgboost"]
    block.box.setChecked(False)
    assert page.settings.tree()["task"]["distillation"] is None


@pytest.mark.parametrize("preset", list(config.presets()))
def test_every_preset_opens_in_its_form_and_is_saved_as_the_same_yaml(
    page: TrainPage, tmp_path: Path, preset: str
) -> None:
    page.settings.use_preset(preset)
    assert page.settings.task == config.task_of(config.load_tree(preset))
    assert page.settings.problems == {}
    assert page.settings.save(tmp_path / "saved.yaml")
    kept = config.to_tree(config.load(tmp_path / "saved.yaml"))
    assert kept == config.to_tree(config.load(preset))
    for block in page.settings.form.blocks():
        block.fill()
    assert config.to_tree(config.parse(page.settings.form.tree())) == kept  # with every editor made
