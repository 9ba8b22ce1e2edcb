"""The whole way through the window, for each system: data, a training, a published model, a prediction, seen again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from core import config
from core.catalog import Catalog, RunRow
from core.catalog.evaluations import EvaluationRow, evaluations
from core.imaging.reader import read
from core.simulation.alzheimers import Recipe, simulate
from gui.context import AppContext
from gui.main_window import MainWindow
from gui.predict.model_card import choice_of
from gui.predict.page import PredictionsPage
from gui.predict.panel import PredictPanel
from gui.predict.past import KIND, OF, RESULT
from gui.review.page import ReviewPage
from gui.risk.page import RiskPage
from gui.stays.page import StaysPage
from gui.tables.page import TablesPage
from gui.train.page import TrainPage
from tests.core.making import make_dataset, tiny_experiment
from tests.core.stays import make_stays
from tests.core.stays import tree as stays_tree
from tests.core.tables import tree as table_tree
from tests.core.tasks.alzheimers.conftest import TINY
from tests.gui.making import drop
from tests.gui.tables_making import write_table

LONG_MS = 90_000  # a child process imports torch on a busy machine


def click(qtbot: QtBot, within: QWidget, name: str) -> None:
    found = within.findChild(QAbstractButton, name)
    assert found is not None and found.isEnabled(), name
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def train_page(window: MainWindow) -> TrainPage:
    window.context.page_requested.emit("train")
    page = window.findChild(TrainPage)
    assert page is not None
    return page


def train(qtbot: QtBot, window: MainWindow, tree: dict[str, Any], *, stop: bool = False) -> RunRow:
    """Train from the page until it ends, or has to. stop: after the first epoch, keeping what it has."""
    page = train_page(window)
    page.settings.set_tree(tree)
    qtbot.waitUntil(lambda: page.start.isEnabled(), timeout=20_000)
    click(qtbot, page, "start")
    if stop:
        qtbot.waitUntil(lambda: page.history.run is not None and page.history.run.epoch > 0, timeout=LONG_MS)
        click(qtbot, window, "stop")
    end = "stopped" if stop else "finished"
    qtbot.waitUntil(lambda: page.header.pill.state == end and not page.engine.busy, timeout=LONG_MS)
    assert page.history.run is not None
    assert {"train/loss", "val/loss"} <= set(page.history.series)
    return page.history.run


def publish(qtbot: QtBot, window: MainWindow) -> None:
    page = train_page(window)
    with qtbot.waitSignal(page.publisher.published, timeout=LONG_MS):
        click(qtbot, window, "publish")


def evaluate(qtbot: QtBot, window: MainWindow, model: str) -> dict[str, Any]:
    """The figures of a model on what its run kept out, as the Review page proposes it."""
    window.context.evaluation_requested.emit(model)
    page = window.findChild(ReviewPage)
    assert page is not None
    click(qtbot, page, "evaluate-go")
    found: list[EvaluationRow] = []

    def ended() -> bool:
        with Catalog() as catalog:
            found[:] = evaluations(catalog)
        return bool(found) and not window.context.jobs.jobs

    qtbot.waitUntil(ended, timeout=LONG_MS)
    assert found[0].split == "val"
    metrics: dict[str, Any] = found[0].result["metrics"]
    return metrics


@pytest.fixture
def second_start(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> Iterator[Callable[[], MainWindow]]:
    """Another window with a context of its own, as after a restart, which knows only what was kept."""
    contexts: list[AppContext] = []

    def start() -> MainWindow:
        window.hide()
        context = AppContext(settings=QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
        contexts.append(context)
        made = MainWindow(context)
        qtbot.addWidget(made)
        with qtbot.waitSignal(made.painted, timeout=5000):
            made.show()
        return made

    yield start
    for context in contexts:
        assert context.close()
        context.deleteLater()


def open_first_prediction(qtbot: QtBot, window: MainWindow) -> tuple[list[str], QWidget]:
    """What the Predict page says of the newest prediction, and the page that it opens on."""
    qtbot.waitUntil(lambda: choice_of(window.context).loaded, timeout=10_000)
    window.show_page("predict")
    page = window.findChild(PredictionsPage)
    assert page is not None
    shown = page.table.model()
    words = [shown.index(0, column).data() for column in (KIND, OF, RESULT)]
    page.table.selectRow(0)
    click(qtbot, page, "prediction-open")
    return words, window.pages[window.page]


def test_from_a_table_to_answers_about_new_rows(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, second_start: Callable[[], MainWindow]
) -> None:
    drop(window, write_table(tmp_path / "patients.csv"))
    page = window.findChild(TablesPage)
    qtbot.waitUntil(lambda: page.opened is not None, timeout=10_000)
    page.outcome.setCurrentIndex(page.outcome.findData("died"))
    click(qtbot, page, "train-table")
    tree = train_page(window).settings.tree()
    assert (tree["task"]["name"], tree["data"]["target"]) == ("tabular", "died")
    run = train(qtbot, window, table_tree(tmp_path / "patients.csv", val_fraction=0.3))
    assert run.epoch == 6
    publish(qtbot, window)
    assert evaluate(qtbot, window, "tiny-table-1.0")["test/auroc"] > 0.7

    drop(window, write_table(tmp_path / "new.csv", rows=30, seed=1))
    qtbot.waitUntil(lambda: page.opened.path.name == "new.csv" and page.chosen_model is not None, timeout=10_000)
    click(qtbot, page, "predict-table")
    qtbot.waitUntil(lambda: page.predicted is not None and not page._work.running, timeout=LONG_MS)
    said = page.row_card.figure.text()

    again = second_start()
    words, found = open_first_prediction(qtbot, again)
    assert words[:2] == ["Table", "new.csv"] and words[2].startswith("30 rows: died = ")
    qtbot.waitUntil(lambda: found.predicted is not None, timeout=20_000)
    assert found.row_card.figure.text() == said
    assert found.row_card.explain.isVisible()


def test_from_stays_without_outcomes_to_an_answer_about_a_new_stay(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, second_start: Callable[[], MainWindow]
) -> None:
    data = make_stays(tmp_path / "data")
    drop(window, data / "set-a")
    page = window.findChild(StaysPage)
    qtbot.waitUntil(lambda: page.stay is not None, timeout=20_000)
    click(qtbot, page, "train-stays")
    assert train_page(window).task.data_kind == "stays"
    few = {"epochs": 1, "batch_size": 32, "device": "cpu", "threads": 1, "precision": "32"}
    encoder = train(qtbot, window, stays_tree("pretraining", data, trainer=few))
    settings = stays_tree(
        "finetuning",
        data,
        encoder={"checkpoint": encoder.id},
        trainer={**few, "epochs": 200},
        data={"val_fraction": 0.3},
    )
    run = train(qtbot, window, settings, stop=True)
    assert run.epoch < 200
    publish(qtbot, window)
    assert 0 <= evaluate(qtbot, window, "tiny-finetuning-1.0")["test/auroc"] <= 1

    new = make_stays(tmp_path / "new", 3, first=9000) / "set-a"
    drop(window, new)
    qtbot.waitUntil(lambda: page.count.text() == "3 stays" and page.chosen is not None, timeout=20_000)
    click(qtbot, page, "predict-stay")
    qtbot.waitUntil(lambda: page.answer is not None and not page._work.running, timeout=LONG_MS)
    assert "In-hospital_death = 1" in page.between.text()
    said = page.figure.text()

    words, found = open_first_prediction(qtbot, second_start())
    assert words[0] == "Stay" and words[1].startswith("9000") and f"In-hospital_death = 1: {said}" in words[2]
    qtbot.waitUntil(lambda: found.answer is not None, timeout=20_000)
    assert (found.stay.id, found.figure.text()) == ("9000", said)
    assert found.course.isVisible()


def test_from_a_cohort_to_the_risk_of_a_subject(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, second_start: Callable[[], MainWindow]
) -> None:
    cohort = tmp_path / "cohort"
    simulate(cohort, Recipe(subjects=16, seed=5, missing=0.0))
    train_page_ = train_page(window)
    drop(train_page_, cohort)
    qtbot.waitUntil(lambda: train_page_.settings.task == "alzheimers", timeout=10_000)
    qtbot.waitUntil(lambda: train_page_.check.dataset is not None, timeout=20_000)
    settings = config.load("alzheimers", [f"data.path={cohort}", "name=risk", *TINY, "trainer.epochs=2"])
    run = train(qtbot, window, config.to_tree(settings))
    assert run.epoch == 2
    publish(qtbot, window)

    window.show_page("risk")
    page = window.findChild(RiskPage)
    qtbot.waitUntil(lambda: page.chosen is not None, timeout=10_000)
    subject = cohort / "sub-0001"
    drop(page, *subject.glob("anat/*.nii.gz"), *subject.glob("pet/*.nii.gz"), cohort / "participants.tsv")
    qtbot.waitUntil(lambda: len(page._scans) > 0 and len(page.form.values) > 50, timeout=20_000)
    assert all(place.path is not None for place in page.places.values())
    click(qtbot, page, "risk-predict")
    qtbot.waitUntil(lambda: page.answer is not None and not page._work.running, timeout=LONG_MS)
    said, values = page.result.figure.text(), page.form.values
    assert page.answer.maps

    words, found = open_first_prediction(qtbot, second_start())
    assert words[0] == "Risk" and words[2].startswith("score ")
    qtbot.waitUntil(lambda: found.answer is not None and found.scene.overlay is not None, timeout=20_000)
    assert found.result.figure.text() == said
    assert found.form.values == pytest.approx(values)
    assert found.simulated.isVisible()
    found.shut_down()
    page.shut_down()


def test_from_labelled_scans_to_a_prediction_with_ones_own_model(
    qtbot: QtBot, window: MainWindow, app_context: AppContext, tmp_path: Path
) -> None:
    data = make_dataset(tmp_path / "data")
    run = train(qtbot, window, config.to_tree(tiny_experiment(data)))
    assert run.epoch == 2
    publish(qtbot, window)
    choice = choice_of(app_context)
    qtbot.waitUntil(lambda: choice.find("tiny", "1.0") is not None, timeout=10_000)

    scan = data / "images" / "ball_00.nii.gz"
    drop(window, scan)
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=20_000)
    panel = window.findChild(PredictPanel)
    assert panel is not None
    choice.choose("tiny-1.0")
    qtbot.waitUntil(lambda: panel.can_predict and choice.current.name == "tiny", timeout=20_000)
    panel.predict()
    qtbot.waitUntil(lambda: window.scans.scene.overlay is not None, timeout=LONG_MS)

    with Catalog() as catalog:
        [row] = catalog.predictions()
    assert (row.model, row.scan) == ("tiny", scan)
    written = read(row.output)
    assert np.allclose(written.affine_ras, read(scan).affine_ras)
    assert np.array_equal(written.voxels, window.scans.scene.overlay.labels)

    window.scans.scene.set_overlay(None)
    app_context.prediction_open_requested.emit(row.id)
    qtbot.waitUntil(lambda: window.scans.scene.overlay is not None, timeout=20_000)
    assert np.array_equal(written.voxels, window.scans.scene.overlay.labels)
