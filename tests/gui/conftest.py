"""What every test of the window gets: a watch for leaks, and a window with a home of its own."""

from __future__ import annotations

import gc
import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QSettings, QThread, QTimer
from PySide6.QtWidgets import QApplication, QMenu

from core.paths import models_folder
from gui.context import AppContext
from gui.main_window import MainWindow
from gui.theme import apply_theme, theme
from tests.core.tables import tree as table_tree
from tests.gui.tables_making import write_table


def _alive(kind: type) -> set[object]:
    return {thing for thing in gc.get_objects() if issubclass(type(thing), kind) and shiboken6.isValid(thing)}


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """A running thread, a ticking timer or a window that outlives its test fails the test."""
    if "qapp" not in request.fixturenames and "qtbot" not in request.fixturenames:
        yield
        return
    qapp = request.getfixturevalue("qapp")
    windows = set(qapp.topLevelWidgets())
    timers = {timer for timer in _alive(QTimer) if timer.isActive()}
    # What is there before the test is no leak of its own: left out of the searches, which torch alone makes slow.
    gc.collect()
    gc.freeze()
    yield
    qapp.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [f"running {thread!r}" for thread in _alive(QThread) if thread.isRunning() and thread is not qapp.thread()]
    left += [f"ticking {timer!r} of {timer.parent()!r}" for timer in _alive(QTimer) - timers if timer.isActive()]
    new = set(QApplication.topLevelWidgets()) - windows
    # A plot of pyqtgraph keeps its hidden context menus as long as the interpreter cares to.
    left += [f"window {widget!r}" for widget in new if widget.isVisible() or not isinstance(widget, QMenu)]
    assert not left, "left behind: " + "; ".join(left)


@pytest.fixture(autouse=True)
def fresh_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the theme, or who listens to it, of the one before."""
    monkeypatch.setattr(importlib.import_module("gui.theme.theme"), "_theme", None)


@pytest.fixture
def app_context(qapp: QApplication, tmp_path: Path) -> Iterator[AppContext]:
    """A context with settings of its own."""
    made = AppContext(settings=QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    yield made
    assert made.close()
    made.deleteLater()


@pytest.fixture
def dark(qapp: QApplication) -> None:
    apply_theme(qapp, "dark")
    assert theme().is_dark


@pytest.fixture
def window(qtbot: object, app_context: AppContext, dark: None) -> MainWindow:
    """The whole window, shown, with nothing open."""
    made = MainWindow(app_context)
    qtbot.addWidget(made)
    with qtbot.waitSignal(made.painted, timeout=5000):
        made.show()
    return made


@pytest.fixture(scope="session")
def trained_on_a_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of a small table, trained once; `table_model` copies it where it is used."""
    from core import config
    from core.inference.kinds import kind_of
    from core.training import launch

    place = tmp_path_factory.mktemp("table_model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISOCENTER_HOME", str(place / "home"))
        run_id = launch.prepare_run(config.parse(table_tree(write_table(place / "train.csv"))))
        return kind_of("tabular").publish(launch.execute(run_id), name="deaths").folder


@pytest.fixture
def table_model(trained_on_a_table: Path) -> Path:
    """A model for tables called deaths, among the user's own."""
    return Path(shutil.copytree(trained_on_a_table, models_folder() / trained_on_a_table.name))
