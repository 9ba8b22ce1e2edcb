"""One tree in three views: the form, the YAML and the changes from the preset; kept between starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from core import config
from gui.train.settings import CHANGES, FORM, YAML, Settings

PRESET = "hippocampus"


@pytest.fixture
def store(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def settings(qtbot: QtBot, store: QSettings) -> Settings:
    made = Settings(store)
    qtbot.addWidget(made)
    made.show()
    made.use_preset(PRESET)
    return made


def write(settings: Settings, text: str) -> None:
    settings.tabs.setCurrentIndex(YAML)
    settings.yaml.text.setPlainText(text)
    settings.yaml.read()


def test_the_yaml_shows_what_the_form_holds_and_back(settings: Settings) -> None:
    line = settings.form.editor("optimizer.lr").line
    line.setText("0.5")
    line.textEdited.emit("0.5")
    settings.tabs.setCurrentIndex(YAML)
    text = settings.yaml.text.toPlainText()
    assert "lr: 0.5" in text
    write(settings, text.replace("lr: 0.5", "lr: 0.25"))
    settings.tabs.setCurrentIndex(FORM)
    assert line.text() == "0.25"
    assert settings.tree()["optimizer"]["lr"] == 0.25


def test_broken_yaml_is_kept_told_with_its_line_and_blocks_the_start(settings: Settings) -> None:
    before = settings.tree()
    write(settings, "name: x\ntrainer: [1, 2\nseed: 1\n")
    assert "Line 3" in settings.yaml.message.text()
    assert "YAML cannot be read" in settings.blocker()
    assert settings.tree() == before
    settings.tabs.setCurrentIndex(FORM)
    settings.tabs.setCurrentIndex(YAML)
    assert "trainer: [1, 2" in settings.yaml.text.toPlainText()


def test_a_wrong_value_in_the_yaml_is_told_with_its_line(settings: Settings) -> None:
    write(settings, "name: x\noptimizer:\n  name: adamw\n  weight_decay: -3\n")
    assert settings.yaml.message.text() == "Line 4: optimizer.weight_decay must be 0 or more"
    assert settings.form.editor("optimizer.weight_decay").line.text() == "-3"


def test_yaml_with_aliases_is_refused(settings: Settings) -> None:
    write(settings, "a: &a [1]\nb: *a\n")
    assert "aliases" in settings.blocker()


def test_changes_count_what_differs_and_can_be_put_back(settings: Settings) -> None:
    assert settings.tabs.tabText(CHANGES) == "Changes (0)"
    settings.set_value("trainer.epochs", 7)
    settings.set_value("optimizer.name", "adam")
    settings.set_value("data.path", "/somewhere")
    settings.tabs.setCurrentIndex(CHANGES)
    button = settings.changes.findChild(QAbstractButton, "restore:trainer.epochs")
    assert button is not None
    button.click()
    assert settings.tree()["trainer"]["epochs"] == config.load(PRESET).trainer.epochs
    restore = settings.changes.findChild(QAbstractButton, "restore:optimizer.name")
    assert restore is not None
    restore.click()
    assert settings.tabs.tabText(CHANGES) == "Changes (0)"
    assert settings.tree()["data"]["path"] == "/somewhere"


def test_a_preset_keeps_the_chosen_data(settings: Settings) -> None:
    settings.set_value("data.path", "/somewhere")
    settings.use_preset("hippocampus-quick")
    assert settings.tree()["data"]["path"] == "/somewhere"
    assert settings.tree()["trainer"]["epochs"] == config.load("hippocampus-quick").trainer.epochs
    assert settings.preset == "hippocampus-quick"


def test_settings_saved_as_yaml_open_the_same_and_run_from_the_command_line(settings: Settings, tmp_path: Path) -> None:
    settings.set_value("trainer.epochs", 7)
    assert settings.save(tmp_path / "mine.yaml")
    assert config.to_tree(config.load(tmp_path / "mine.yaml")) == config.to_tree(config.parse(settings.tree()))
    tree = settings.tree()
    settings.set_value("trainer.epochs", 8)
    assert settings.open(tmp_path / "mine.yaml")
    assert settings.tree() == tree


def test_a_file_that_is_no_experiment_is_refused_and_nothing_changes(
    qtbot: QtBot, settings: Settings, tmp_path: Path
) -> None:
    tree = settings.tree()
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with qtbot.waitSignal(settings.failed):
        assert not settings.open(tmp_path / "list.yaml")
    with qtbot.waitSignal(settings.failed):
        assert not settings.open(tmp_path / "absent.yaml")
    assert settings.tree() == tree


def test_what_was_typed_last_is_there_at_the_next_start(qtbot: QtBot, settings: Settings, store: QSettings) -> None:
    settings.set_value("trainer.epochs", "many")
    again = Settings(store)
    qtbot.addWidget(again)
    assert again.tree()["trainer"]["epochs"] == "many"
    assert again.preset == PRESET
    assert again.problems
