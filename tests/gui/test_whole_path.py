"""The whole way through the window: labelled scans, a training, a published model, a prediction, opened once more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from core import config
from core.catalog import Catalog
from core.imaging.reader import read
from gui.context import AppContext
from gui.main_window import MainWindow
from gui.predict.model_card import choice_of
from gui.predict.panel import PredictPanel
from gui.train.page import TrainPage
from tests.core.making import make_dataset, tiny_experiment

LONG_MS = 90_000  # a child process imports torch on a busy machine


def drop(window: MainWindow, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(window.rect().center()),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)


def click(qtbot: QtBot, within: QWidget, name: str) -> None:
    found = within.findChild(QAbstractButton, name)
    assert found is not None and found.isEnabled(), name
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def test_from_labelled_scans_to_a_prediction_with_ones_own_model(
    qtbot: QtBot, window: MainWindow, app_context: AppContext, tmp_path: Path
) -> None:
    data = make_dataset(tmp_path / "data")
    app_context.page_requested.emit("train")
    page = window.findChild(TrainPage)
    assert page is not None
    page.settings.set_tree(config.to_tree(tiny_experiment(data)))
    qtbot.waitUntil(lambda: page.start.isEnabled(), timeout=20_000)
    click(qtbot, page, "start")
    qtbot.waitUntil(lambda: page.header.pill.state == "finished" and not page.engine.busy, timeout=LONG_MS)
    assert page.history.run is not None and page.history.run.epoch == 2

    with qtbot.waitSignal(page.publisher.published, timeout=LONG_MS):
        click(qtbot, window, "publish")
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
