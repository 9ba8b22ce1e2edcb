"""The Runs page: the table, the filter, comparing, deleting with its undo, exporting."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from core.catalog import Catalog
from core.paths import runs_folder
from gui.context import AppContext
from gui.runs.exporting import export
from gui.runs.page import RunsPage
from tests.core.training.test_recovery import make_run

WriteRun = Callable[..., str]


@pytest.fixture
def page(qtbot: QtBot, context: AppContext) -> Iterator[RunsPage]:
    made = RunsPage(context)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    yield made
    made.hide()


def show(qtbot: QtBot, page: RunsPage, count: int) -> None:
    page.show()
    qtbot.waitUntil(lambda: len(page.model.rows) == count, timeout=5_000)


def press(qtbot: QtBot, page: RunsPage, name: str) -> None:
    button = page.findChild(QAbstractButton, name)
    assert button is not None
    assert button.isEnabled(), name
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def column(page: RunsPage, number: int) -> list[str]:
    return [page.shown.index(row, number).data() for row in range(page.shown.rowCount())]


def test_with_no_runs_the_page_says_what_to_do(qtbot: QtBot, page: RunsPage) -> None:
    page.show()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.empty, timeout=5_000)
    with qtbot.waitSignal(page.context.page_requested) as asked:
        press(qtbot, page, "go-train")
    assert asked.args == ["train"]


def test_enter_on_a_run_opens_it(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", name="small")
    with qtbot.waitActive(page):
        page.show()
        page.activateWindow()
    qtbot.waitUntil(lambda: len(page.model.rows) == 1, timeout=5_000)
    page.table.selectRow(0)
    page.table.setFocus()
    with qtbot.waitSignal(page.context.run_requested) as asked:
        qtbot.keyClick(page.table, Qt.Key.Key_Return)
    assert asked.args == ["a"]


def test_runs_are_listed_with_their_state_and_best_dice(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", name="small", dice=0.8)
    write_run("b", name="large", dice=0.9, state="failed")
    show(qtbot, page, 2)
    assert set(zip(column(page, 0), column(page, 1), column(page, 3), strict=True)) == {
        ("small", "✓ finished", "Dice 0.800"),
        ("large", "✕ failed", "Dice 0.900"),
    }


def test_the_filter_finds_words_in_any_column(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", name="small")
    write_run("b", name="large", state="failed")
    show(qtbot, page, 2)
    qtbot.keyClicks(page.filter, "fail balls")
    assert column(page, 0) == ["large"]
    qtbot.keyClicks(page.filter, " nothing")
    assert page.stack.currentWidget() is page.none_found


def test_a_new_run_appears_and_the_selection_stays(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", name="small")
    show(qtbot, page, 1)
    page.select(["a"])
    write_run("b", name="large")
    qtbot.waitUntil(lambda: len(page.model.rows) == 2, timeout=5_000)
    assert [row.run.id for row in page.selected()] == ["a"]


def test_two_runs_are_compared_by_curves_and_settings(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", name="small", dice=0.8)
    write_run("b", name="large", dice=0.9)
    show(qtbot, page, 2)
    page.select(["a", "b"])
    qtbot.waitUntil(lambda: len(page.compare.judged.values_at(None)) == 2, timeout=5_000)
    assert page.compare.judged.values_at(None) == pytest.approx({"small": 0.8, "large": 0.9})
    assert page.compare.loss.values_at(1.0) == pytest.approx({"small": 0.5, "large": 0.5})
    table = page.compare.table
    rows = {
        table.item(n, 0).text(): {table.item(n, 1).text(), table.item(n, 2).text()} for n in range(table.rowCount())
    }
    assert rows == {"optimizer.lr": {"0.008", "0.009"}}


def test_one_run_shows_its_settings_as_yaml(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", name="small")
    show(qtbot, page, 1)
    page.select(["a"])
    assert "name: small" in page.compare.yaml.toPlainText()


def test_a_deleted_run_comes_back_whole_by_undo(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", name="small")
    write_run("b", name="large")
    with Catalog() as catalog:
        catalog.set_checkpoint("a", "best", path=Path("x"), sha256="0", size=1, epoch=2, step=12)
        before = (catalog.run("a"), [p.value for p in catalog.metrics("a")], [e.message for e in catalog.events("a")])
    show(qtbot, page, 2)
    page.select(["a"])
    press(qtbot, page, "delete-runs")
    qtbot.waitUntil(lambda: column(page, 0) == ["large"] and page.trash.isVisible(), timeout=5_000)
    assert not (runs_folder() / "a").exists()
    press(qtbot, page, "undo-delete")
    qtbot.waitUntil(lambda: len(page.model.rows) == 2, timeout=5_000)
    assert (runs_folder() / "a" / "previews").is_dir()
    with Catalog() as catalog:
        after = (catalog.run("a"), [p.value for p in catalog.metrics("a")], [e.message for e in catalog.events("a")])
        assert catalog.checkpoint("a", "best") is not None
    assert after == before


def test_a_run_that_is_going_on_cannot_be_deleted(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", state="running")
    show(qtbot, page, 1)
    page.select(["a"])
    assert not page.delete.isEnabled()
    assert "stopped first" in page.delete.toolTip()


def test_a_run_whose_process_is_gone_is_marked_interrupted(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a", state="running")
    with Catalog() as catalog:
        catalog.update_run("a", pid=2**22 + 1)
    show(qtbot, page, 1)
    assert column(page, 1) == ["! interrupted"]
    page.select(["a"])
    assert page.resume.isEnabled()


def test_run_folders_that_the_catalog_lost_are_taken_in_again(
    qtbot: QtBot, page: RunsPage, write_run: WriteRun
) -> None:
    write_run("a")
    folder = make_run(runs_folder() / "20260102-030405-tiny-0abc")
    show(qtbot, page, 1)
    qtbot.waitUntil(page.lost.isVisible, timeout=5_000)
    assert page.lost.take.text() == "Take it in"
    told: list[str] = []
    page.context.notice.connect(lambda _level, text: told.append(text))
    with qtbot.waitSignal(page.context.runs_changed, timeout=60_000):
        press(qtbot, page, "take-in-runs")
    qtbot.waitUntil(lambda: len(page.model.rows) == 2 and page.lost.isHidden(), timeout=5_000)
    assert told == ["1 run was taken in again."]
    assert folder.name in {row.run.id for row in page.model.rows}


def test_opening_a_run_asks_for_its_dashboard(qtbot: QtBot, page: RunsPage, write_run: WriteRun) -> None:
    write_run("a")
    show(qtbot, page, 1)
    page.select(["a"])
    with qtbot.waitSignals([page.context.page_requested, page.context.run_requested]):
        press(qtbot, page, "open-run")


def test_runs_are_exported_as_json_and_csv(qtbot: QtBot, page: RunsPage, write_run: WriteRun, tmp_path: Path) -> None:
    write_run("a", name="small")
    write_run("b", name="large")
    show(qtbot, page, 2)
    for name in ("out.json", "out.csv"):
        with qtbot.waitSignal(page.context.notice, timeout=5_000):
            export(page.context, tmp_path / name, ["a", "b"])
    content = json.loads((tmp_path / "out.json").read_text())
    assert [one["run"]["name"] for one in content["runs"]] == ["small", "large"]
    assert content["runs"][0]["run"]["config"]["optimizer"]["lr"] == 0.008
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(one["metrics"]) for one in content["runs"])
    assert {row["key"] for row in rows} >= {"val/dice", "train/loss"}


def test_runs_of_one_task_are_found_and_the_better_of_a_metric_stands_higher(
    qtbot: QtBot, page: RunsPage, write_run: WriteRun
) -> None:
    write_run("a", name="small", dice=0.8)
    write_run("b", name="large", dice=0.9)
    config = "name: stays\ntask: {name: tabular, monitor: val/loss}\n"
    with Catalog() as catalog:
        for id, loss in (("c", 0.4), ("d", 0.2)):
            folder = runs_folder() / id
            folder.mkdir(parents=True)
            catalog.add_run(id=id, name=id, task="tabular", config=config, data_path="x", folder=folder, epochs=1)
            catalog.update_run(id, state="finished", summary={"val/loss": loss})
    show(qtbot, page, 4)
    page.table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert column(page, 3) == ["Loss 0.200", "Loss 0.400", "Dice 0.900", "Dice 0.800"]
    page.tasks.setCurrentIndex(page.tasks.findData("Table"))
    assert column(page, 0) == ["d", "c"]
