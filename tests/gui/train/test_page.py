"""The Train page: what blocks a start, a real short training, its end, and what is shown of other runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from core.catalog import Catalog
from core.paths import runs_folder
from gui.context import AppContext
from gui.train.page import TrainPage

TRAINING_MS = 60_000


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> Iterator[TrainPage]:
    made = TrainPage(context)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    yield made
    made.shut_down()


def press(qtbot: QtBot, page: TrainPage, name: str) -> None:
    button = page.findChild(QAbstractButton, name)
    assert button is not None
    assert button.isEnabled(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def ready(qtbot: QtBot, page: TrainPage, tree: dict[str, Any]) -> None:
    page.settings.set_tree(tree)
    qtbot.waitUntil(lambda: page.check.dataset is not None, timeout=10_000)


def state_shown(page: TrainPage) -> str:
    return page.header.pill.state


def test_start_says_what_is_missing(qtbot: QtBot, page: TrainPage) -> None:
    assert not page.start.isEnabled()
    assert "choose the folder" in page.reason.text()


def test_a_wrong_value_blocks_the_start_and_mending_it_opens_it(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]
) -> None:
    ready(qtbot, page, tiny_tree)
    assert page.start.isEnabled()
    line = page.settings.form.editor("optimizer.weight_decay").line
    line.clear()
    qtbot.keyClicks(line, "-1")
    assert not page.start.isEnabled()
    assert "optimizer.weight_decay must be 0 or more" in page.reason.text()
    line.clear()
    qtbot.keyClicks(line, "0.1")
    assert page.start.isEnabled()


def test_an_error_of_the_data_blocks_the_start_with_its_reason(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any], tiny_data: Path
) -> None:
    import nibabel as nib
    import numpy as np

    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), tiny_data / "labels" / "case_0.nii.gz")
    ready(qtbot, page, tiny_tree)
    assert not page.start.isEnabled()
    assert "case_0" in page.reason.text()


def test_a_folder_without_scans_says_what_a_data_set_is(qtbot: QtBot, page: TrainPage, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    page.choose_data(tmp_path / "nothing")
    qtbot.waitUntil(lambda: page.check.failure is not None, timeout=10_000)
    assert "no images and labels" in page.reason.text()


def test_the_place_of_the_data_and_what_it_waits_for_are_seen_whole(qtbot: QtBot, page: TrainPage) -> None:
    for task in ("segmentation", "tabular", "alzheimers"):
        page.settings.use_task(task)
        line = page.place.line
        qtbot.waitUntil(lambda line=line: line.isVisible())
        needed = line.fontMetrics().horizontalAdvance(line.placeholderText())
        assert line.width() - 2 * 12 >= needed, line.placeholderText()


def test_a_check_can_be_cancelled_and_done_again(qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]) -> None:
    page.settings.set_tree(tiny_tree)
    page.check.check()
    press(qtbot, page, "cancel-check")
    assert "not been checked" in page.reason.text()
    press(qtbot, page, "check-again")
    qtbot.waitUntil(lambda: page.check.dataset is not None, timeout=10_000)


def test_two_epochs_train_from_the_page_and_are_shown(qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]) -> None:
    ready(qtbot, page, tiny_tree)
    press(qtbot, page, "start")
    assert not page.start.isEnabled()
    qtbot.waitUntil(lambda: state_shown(page) == "finished", timeout=TRAINING_MS)
    qtbot.waitUntil(lambda: not page.engine.busy, timeout=10_000)
    history = page.history
    assert history.run is not None
    assert history.run.epoch == 2
    assert {"train/loss", "val/loss", "val/dice", "lr", "train/samples_per_s"} <= set(history.series)
    qtbot.waitUntil(lambda: "Epoch 2" in page.preview.caption.text(), timeout=5_000)
    press(qtbot, page, "preview-back")
    qtbot.waitUntil(lambda: "Epoch 1" in page.preview.caption.text(), timeout=5_000)
    qtbot.waitUntil(lambda: page.dashboard.epoch.figure.text() == "2 / 2", timeout=5_000)
    assert page.start.isEnabled()
    with qtbot.waitSignal(page.context.models_changed, timeout=TRAINING_MS):
        press(qtbot, page, "publish")
    assert page.publisher.bar.isVisible()
    with qtbot.waitSignal(page.context.model_requested) as asked:
        press(qtbot, page, "show-models")
    assert asked.args[0].name == history.run.name


def test_stop_keeps_the_checkpoints_and_resume_goes_on(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]
) -> None:
    tiny_tree["trainer"]["epochs"] = 2000
    ready(qtbot, page, tiny_tree)
    press(qtbot, page, "start")
    qtbot.waitUntil(lambda: page.history.run is not None and page.history.run.epoch >= 2, timeout=TRAINING_MS)
    press(qtbot, page, "stop")
    qtbot.waitUntil(lambda: state_shown(page) == "stopped" and not page.engine.busy, timeout=20_000)
    run = page.history.run
    assert run is not None
    with Catalog() as catalog:
        rows = catalog.checkpoints(run.id)
    assert {row.kind for row in rows} == {"best", "last"}
    assert all(row.path.is_file() for row in rows)
    press(qtbot, page, "resume")
    qtbot.waitUntil(lambda: state_shown(page) == "running" and page.history.run.epoch > run.epoch, timeout=20_000)
    press(qtbot, page, "pause")
    qtbot.waitUntil(lambda: state_shown(page) == "paused", timeout=10_000)
    press(qtbot, page, "discard")
    press(qtbot, page, "discard-undo-undo")
    assert page.undo.isHidden()
    press(qtbot, page, "discard")
    press(qtbot, page, "discard-undo-now")
    qtbot.waitUntil(lambda: page.history.run is None and not page.engine.busy, timeout=20_000)
    assert not (runs_folder() / run.id).exists()
    assert page.stack.currentWidget() is page.plan


def test_a_run_that_is_stopped_before_its_first_validation_says_why_it_cannot_be_published(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any]
) -> None:
    tiny_tree["trainer"] |= {"epochs": 2000, "validate_every": 1000}
    ready(qtbot, page, tiny_tree)
    press(qtbot, page, "start")
    qtbot.waitUntil(lambda: page.history.run is not None and page.history.run.epoch >= 1, timeout=TRAINING_MS)
    press(qtbot, page, "stop")
    qtbot.waitUntil(lambda: state_shown(page) == "stopped" and not page.engine.busy, timeout=20_000)
    assert page.header.publish.isHidden()
    assert "before its first validation" in page.header.note.text()
    assert "only the last checkpoint" in page.history.events[-1].message


def test_a_failure_is_told_in_its_parts_and_leaves_the_window_usable(
    qtbot: QtBot, page: TrainPage, tiny_tree: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import launch

    def leave(*_: object, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(launch, "fit", leave)
    ready(qtbot, page, tiny_tree)
    press(qtbot, page, "start")
    qtbot.waitUntil(lambda: state_shown(page) == "failed" and not page.engine.busy, timeout=20_000)
    qtbot.waitUntil(page.failure.isVisible, timeout=5_000)
    assert "SystemExit" in page.failure.what.text()
    assert "Traceback" in page.failure.details.toPlainText()
    assert page.start.isEnabled()


def test_a_run_of_another_process_is_watched_live(
    qtbot: QtBot, page: TrainPage, context: AppContext, write_run: Callable[..., str]
) -> None:
    id = write_run(state="running")
    context.run_requested.emit(id)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.dashboard, timeout=5_000)
    qtbot.waitUntil(lambda: page.dashboard.epoch.figure.text() == "3 / 3", timeout=5_000)
    seen = len(page.history.series["train/loss"].values)
    with Catalog() as catalog:
        catalog.add_metrics(id, [("train/loss", 13, 3, 0.01, 1040.0)])
        catalog.add_event(id, "warning", "A patch was empty.")
    qtbot.waitUntil(lambda: len(page.history.series["train/loss"].values) == seen + 1, timeout=5_000)
    assert "! A patch was empty." in page.log.toPlainText()
    with Catalog() as catalog:
        catalog.delete_run(id)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.empty, timeout=5_000)


def test_a_hidden_page_asks_nothing(qtbot: QtBot, page: TrainPage, write_run: Callable[..., str]) -> None:
    page.show_run(write_run())
    qtbot.waitUntil(lambda: page.history.run is not None, timeout=5_000)
    page.hide()
    assert not page.watcher._timer.isActive()
    assert page.watcher._reader._thread is None
    page.show()
    qtbot.waitSignal(page.watcher.updated, timeout=5_000).wait()
