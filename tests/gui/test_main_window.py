"""The window: pages, keys, the training question, names for assistive tools."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QComboBox,
    QFileDialog,
    QHeaderView,
    QLineEdit,
    QTabBar,
    QTableView,
    QWidget,
)

from core.errors import UnreadableScan
from gui import leaving
from gui.importing import IMPORTING
from gui.jobs.jobs import Job
from gui.main_window import MainWindow
from gui.theme import theme
from gui.widgets.rail import PAGES
from tests.gui.making import write_scan
from tests.gui.tables_making import write_table


def test_an_empty_window_says_what_to_do(window: MainWindow):
    for name in ("open-sample", "choose-files", "choose-folder"):
        button = window.findChild(QAbstractButton, name)
        assert button.isVisible()
        assert button.accessibleName()


def test_pages_are_made_at_their_first_visit(window: MainWindow):
    assert list(window.pages) == ["scans"]
    window.context.page_requested.emit("train")
    assert "train" in window.pages
    assert window.stack.currentWidget() is window.pages["train"]
    window.context.page_requested.emit("no such page")
    assert window.page == "train"


@pytest.mark.parametrize("page", list(PAGES))
def test_every_page_opens_with_nothing_in_the_catalog(window: MainWindow, page: str):
    window.show_page(page)
    assert window.page == page
    assert window.notice.text == ""


def test_an_error_is_told_in_its_three_parts(window: MainWindow):
    window.context.tell(UnreadableScan("it is cut off", where="a.nii", mend="Copy it again."))
    assert window.notice.text == "a.nii: it is cut off. Copy it again."
    window.notice.dismiss()
    assert window.notice.text == ""


def test_a_name_that_looks_like_markup_is_shown_as_it_is(window: MainWindow):
    window.context.notice.emit("warn", "<b>bold</b>.nii is no scan")
    assert window.notice.text == "<b>bold</b>.nii is no scan"
    assert "<b>" in window.notice.findChild(QWidget, "notice-text").text()


@pytest.mark.parametrize(("answer", "closed", "cancelled"), [("CANCEL", False, False), ("STOP", True, True)])
def test_closing_while_a_model_trains_asks_first(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, answer: str, closed: bool, cancelled: bool
):
    job = Job("Training", kind="training")
    asked: list[bool] = []
    job.cancel_requested.connect(lambda: asked.append(True))
    window.context.jobs.adopt(job)
    monkeypatch.setattr("gui.main_window.ask_about_training", lambda *_, **_more: getattr(leaving, answer))
    assert window.close() is closed
    assert bool(asked) is cancelled
    job.finish("cancelled")


def keep_training(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> Job:
    job = Job("Training", kind="training")
    window.context.jobs.adopt(job)
    monkeypatch.setattr("gui.main_window.ask_about_training", lambda *_, **_more: leaving.KEEP)
    assert not window.close()
    return job


def test_a_window_that_keeps_training_goes_away_and_ends_with_it(
    qtbot: object, window: MainWindow, monkeypatch: pytest.MonkeyPatch
):
    job = keep_training(window, monkeypatch)
    assert window.isMinimized()
    assert job.running
    job.finish()
    assert window.isHidden()
    assert window.context.jobs.jobs == []


def test_a_window_that_was_brought_back_stays_when_the_training_ends(
    qtbot: object, window: MainWindow, monkeypatch: pytest.MonkeyPatch
):
    job = keep_training(window, monkeypatch)
    window.showNormal()
    assert "stays open" in window.notice.text
    job.finish()
    assert window.isVisible()


def test_with_a_tray_the_window_hides_behind_an_icon_that_brings_it_back(
    qtbot: object, window: MainWindow, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(window.away, "tray_available", lambda: True)
    job = keep_training(window, monkeypatch)
    assert window.isHidden()
    window.away.come_back()
    assert window.isVisible()
    assert not window.away.is_away
    job.finish()
    assert window.isVisible()


def test_the_theme_chosen_is_remembered(window: MainWindow):
    window.findChild(QAction, "theme-light").trigger()
    assert not theme().is_dark
    assert window.context.settings.value("appearance/theme") == "light"
    theme().set_mode("dark")


def test_the_views_can_be_saved_as_a_picture(
    qtbot: object, window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    window.actions_.save_picture.trigger()
    assert "Open a scan first" in window.notice.text
    window.open_paths([write_scan(tmp_path / "head.nii")])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=10_000)
    target = tmp_path / "views.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), "PNG"))
    shown = window.scans.grid.size()
    window.actions_.save_picture.trigger()
    assert QImage(str(target)).size() == 2 * shown
    window.close()


def test_everything_that_can_be_acted_on_has_a_name(qtbot: object, window: MainWindow, tmp_path: Path):
    window.open_paths([write_scan(tmp_path / "head.nii")])
    qtbot.waitUntil(lambda: window.scans.volume is not None, timeout=10_000)
    for page in PAGES:
        window.show_page(page)
    kinds = (QAbstractButton, QAbstractSlider, QComboBox, QLineEdit, QAbstractItemView)
    own = [w for kind in kinds for w in window.findChildren(kind) if not type(w).__name__.startswith("QScroll")]
    own = [w for w in own if not w.objectName().startswith("qt_") and not _of_qt(w)]
    nameless = [(type(w).__name__, w.objectName()) for w in own if not w.objectName()]
    unspoken = [w.objectName() for w in own if not (w.accessibleName() or getattr(w, "text", str)())]
    assert not nameless
    assert not unspoken
    named = window.findChildren(QObject)
    # A field is named by its key, which has underscores of its own.
    odd = {o.objectName() for o in named if "_" in o.objectName() and not re.match(r"_|qt_|\w+:", o.objectName())}
    assert not odd, "words of object names stand apart by a dash"
    window.close()


def test_tab_leads_from_the_rail_through_every_page_and_is_caught_nowhere(qtbot: object, window: MainWindow):
    for page in PAGES:
        window.show_page(page)
        buttons = [window.rail.findChild(QAbstractButton, f"rail-{key}") for key in PAGES]
        stops = [one.objectName() for one in buttons if one.focusPolicy() & Qt.FocusPolicy.TabFocus]
        assert stops == [f"rail-{page}"]
    entered = [view for view in window.findChildren(QTableView) if view.focusPolicy() & Qt.FocusPolicy.TabFocus]
    caught = [view.objectName() for view in entered if view.tabKeyNavigation()]
    assert entered
    assert not caught
    shown = window.rail.findChild(QAbstractButton, f"rail-{window.page}")
    shown.setFocus()
    QTest.keyClick(shown, Qt.Key.Key_Up)
    assert window.page == list(PAGES)[-2]


def _of_qt(widget: QWidget) -> bool:
    """Whether Qt made it inside one of its own: a combo box's list, a line's clear button, a table's head."""
    parent = widget.parent()
    inside = parent.parent() if parent is not None else None
    return (
        isinstance(widget, QHeaderView)
        or isinstance(parent, QTabBar | QComboBox | QLineEdit | QAbstractItemView)
        or isinstance(inside, QComboBox)
    )


def test_the_sizes_of_a_pages_parts_are_remembered(qtbot: object, window: MainWindow, tmp_path: Path):
    window.show_page("tables")
    window.open_paths([write_table(tmp_path / "patients.csv")])
    qtbot.waitUntil(lambda: window.pages["tables"].opened is not None, timeout=10_000)
    splitter = window.pages["tables"].view.parent()
    before = splitter.sizes()
    splitter.setSizes([before[0] - 60, before[1] + 60, *before[2:]])
    moved = splitter.sizes()
    assert moved != before
    window.close()
    again = MainWindow(window.context)
    qtbot.addWidget(again)
    again.show()
    again.open_paths([tmp_path / "patients.csv"])
    qtbot.waitUntil(lambda: again.pages["tables"].opened is not None, timeout=10_000)
    sides = again.pages["tables"].view.parent().sizes()[::2]  # the middle takes what the window leaves
    assert sides == moved[::2]
    again.close()


def test_the_sheet_of_keys_opens_and_closes(qtbot: object, window: MainWindow):
    window.actions_.shortcuts.trigger()
    sheet = window.findChild(QWidget, "shortcut-sheet")
    assert sheet.isVisible()
    sheet.close()


def test_a_page_is_imported_and_made_while_no_other_thread_imports(window: MainWindow, monkeypatch: pytest.MonkeyPatch):
    held: list[bool] = []
    real = importlib.import_module

    def imported(name: str) -> object:
        held.append(IMPORTING._is_owned())
        return real(name)

    monkeypatch.setattr("gui.pages.importlib.import_module", imported)
    window.show_page("runs")
    assert window.page == "runs"
    assert held[0]
    assert not IMPORTING._is_owned()
