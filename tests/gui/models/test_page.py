"""The page of models."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog

from core.inference.package import find_package, list_packages
from gui.models.page import ModelsPage
from tests.core.inference.importing.making import write_model
from tests.gui.predict.making import make_package


@pytest.fixture
def page(qtbot, context, monkeypatch, tmp_path) -> ModelsPage:
    monkeypatch.setattr("core.inference.package.RESOURCES", tmp_path / "no_bundled")
    made = ModelsPage(context)
    qtbot.addWidget(made)
    made.resize(1300, 860)
    made.show()
    qtbot.waitUntil(lambda: made.list.count() == 1)
    return made


def test_a_model_shows_its_dice_with_spread_and_its_licence(page) -> None:
    table = page.facts.structures
    assert [table.item(0, column).text() for column in range(3)] == ["Anterior, left", "1", "0.910 ± 0.020"]
    assert "CC0" in page._summary.text()
    assert "For tests only." in page.card.toPlainText()


def test_a_card_fetches_nothing_and_shows_no_picture(page) -> None:
    assert page.card.loadResource(2, QUrl("https://example.org/a.png")) is None
    assert page.card.toPlainText().split() == ["Tiny", "For", "tests", "only."]


def test_a_removed_model_comes_back_with_undo(qtbot, page) -> None:
    qtbot.mouseClick(page.remove_button, Qt.MouseButton.LeftButton)
    assert page.list.count() == 0
    assert list_packages() == []
    assert page._empty.isVisible()
    qtbot.mouseClick(page.undo_bar.findChild(object, "models-undo"), Qt.MouseButton.LeftButton)
    assert page.list.count() == 1
    assert find_package("tiny").read_weights()
    assert not page.undo_bar.isVisible()


def test_a_removed_model_is_gone_once_the_window_closed(qtbot, page, context, isocenter_home) -> None:
    page.remove()
    context.close()
    assert list((isocenter_home / "models").iterdir()) == []


def test_an_exported_model_can_be_imported_again(qtbot, page, context, tmp_path) -> None:
    with qtbot.waitSignal(context.notice, timeout=10_000):
        page.export_to(page.selected, tmp_path / "tiny.zip")
    page.remove()
    with qtbot.waitSignal(context.notice, timeout=10_000) as told:
        page.import_from(tmp_path / "tiny.zip")
    assert told.args[0] == "ok"
    assert page.list.count() == 1


def test_a_file_that_is_no_package_is_refused_in_words(qtbot, page, context, tmp_path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    with qtbot.waitSignal(context.notice, timeout=10_000) as told:
        page.import_from(tmp_path / "bad.zip")
    assert told.args[0] == "bad"
    assert "bad.zip" in told.args[1]
    assert page.list.count() == 1


def test_of_several_that_are_imported_the_one_that_is_refused_is_told_beside_the_others(
    qtbot, page, context, tmp_path
) -> None:
    with qtbot.waitSignal(context.notice, timeout=10_000):
        page.export_to(page.selected, tmp_path / "tiny.zip")
    page.remove()
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    with qtbot.waitSignal(context.notice, timeout=20_000) as told:
        page.import_from(tmp_path / "bad.zip", tmp_path / "tiny.zip")
    assert told.args[0] == "bad"
    assert "bad.zip" in told.args[1] and "was imported" in told.args[1]
    assert page.list.count() == 1


def test_the_import_button_asks_for_an_archive_or_a_folder(qtbot, page, context, tmp_path, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "empty"))
    actions = page.import_button.menu().actions()
    assert [action.text() for action in actions] == ["From a .zip…", "From a folder…"]
    with qtbot.waitSignal(context.notice, timeout=10_000) as told:
        actions[1].trigger()
    assert told.args[0] == "bad" and "empty" in told.args[1]


def test_the_chosen_model_is_the_one_predicted_with(qtbot, page, context, isocenter_home) -> None:
    make_package(isocenter_home, name="other")
    context.models_changed.emit()
    assert page.list.count() == 2
    page.list.setCurrentRow(1 - [p.name for p in page._choice.packages].index(page._choice.current.name))
    chosen = page.selected
    qtbot.mouseClick(page.default_button, Qt.MouseButton.LeftButton)
    assert page._choice.current == chosen
    assert not page.default_button.isEnabled()


def test_a_trained_model_dropped_on_the_page_is_imported(qtbot, page, context, tmp_path) -> None:
    folder = write_model(tmp_path / "trained")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder))])
    at, button, keys = QPointF(page.rect().center()), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    with qtbot.waitSignal(context.notice, timeout=20_000) as told:
        page.dropEvent(QDropEvent(at, Qt.DropAction.CopyAction, data, button, keys))
    assert told.args[0] == "ok" and "nnU-Net v2" in told.args[1]
    assert page.selected.name == "shapes"


def test_a_model_for_tables_is_listed_with_its_figures_and_used_on_its_page(qtbot, page, context, table_model) -> None:
    context.models_changed.emit()
    qtbot.waitUntil(lambda: page.list.count() == 2)
    names = [package.name for package in page._choice.every]
    page.list.setCurrentRow(names.index("deaths"))
    figures = page.facts.figures
    assert {figures.item(row, 0).text() for row in range(figures.rowCount())} >= {"AUROC", "Brier score"}
    assert page.facts.structures.isHidden()
    assert page.default_button.text() == "Predict a table"
    with qtbot.waitSignal(context.page_requested) as asked:
        page.default_button.click()
    assert asked.args == ["tables"]
    page.remove()
    assert page.list.count() == 1
    page.undo_removal()
    assert page.list.count() == 2
