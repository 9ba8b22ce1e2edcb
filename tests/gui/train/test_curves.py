"""What the dashboard draws: smoothing, readout, time left, the preview's orientation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QTextDocumentFragment
from pytestqt.qtbot import QtBot

from core.catalog import Catalog
from gui.charts.axis import round_step
from gui.train.curves import Curve, CurveCard, extremes
from gui.train.dashboard import Dashboard
from gui.train.history import History, smoothed
from gui.train.messages import remark
from gui.train.preview import PreviewPanel, SliceView, outline
from gui.train.reader import CatalogReader
from gui.train.watch import Points, Preview, RunWatcher, look, read_preview

WriteRun = Callable[..., str]


def history_of(run_id: str) -> History:
    history = History()
    with Catalog() as catalog:
        history.add(look(catalog, run_id, (0, 0)))
    return history


def test_a_watched_run_that_goes_back_has_each_step_once(write_run: WriteRun) -> None:
    run_id = write_run("a")
    history = history_of(run_id)
    with Catalog() as catalog:
        points = catalog.metrics(run_id, key="train/loss")
        middle = points[len(points) // 2].step
        seen = max(point.id for point in catalog.metrics(run_id))
        catalog.forget_metrics(run_id, after_step=middle)
        catalog.add_metrics(run_id, [("train/loss", middle + 1, 1, 0.125, 1.0)])
        history.add(look(catalog, run_id, (seen, 0)))
    steps = history.series["train/loss"].steps
    assert steps[-1] == middle + 1 and len(steps) == len(set(steps)) and history.last("train/loss") == 0.125


def test_the_value_over_an_epoch_takes_the_place_of_its_last_steps(write_run: WriteRun) -> None:
    run_id = write_run("a")
    with Catalog() as catalog:
        last = catalog.metrics(run_id, key="train/loss")[-1]
        catalog.add_metrics(run_id, [("train/loss", last.step, last.epoch, 0.25, last.time + 1)])
    steps = history_of(run_id).series["train/loss"].steps
    assert len(steps) == len(set(steps)) and history_of(run_id).last("train/loss") == 0.25


def test_smoothing_covers_the_same_stretch_whatever_the_spacing() -> None:
    every = np.arange(1.0, 101.0)
    sparse = every[9::10]
    assert smoothed(every, every, 20)[-1] == pytest.approx(90.5)
    assert smoothed(sparse, sparse, 20)[-1] == pytest.approx(95.0)


def test_smoothing_passes_over_values_that_are_no_numbers() -> None:
    values = np.array([1.0, math.nan, 3.0])
    assert smoothed(np.array([1, 2, 3]), values, 10).tolist() == [1.0, 1.0, 2.0]


def test_the_readout_gives_the_newest_or_the_hovered_value(qtbot: QtBot) -> None:
    card = CurveCard("Loss", "loss")
    qtbot.addWidget(card)
    steps = np.arange(10.0)
    card.show_curves([Curve("train", steps, steps**2, "accent"), Curve("val", steps[:4], steps[:4], "warn")])
    assert card.values_at(None) == {"train": 81.0, "val": 3.0}
    assert card.values_at(2.2) == {"train": 4.0, "val": 2.0}


def test_names_from_a_run_are_never_read_as_markup(qtbot: QtBot) -> None:
    card = CurveCard("Loss", "loss")
    qtbot.addWidget(card)
    card.show_curves([Curve("<img src=x>", np.array([1.0]), np.array([1.0]), "accent")])
    assert "<img" not in card.readout.text()


def test_values_that_are_no_numbers_and_log_scale_do_not_stop_the_drawing(qtbot: QtBot) -> None:
    card = CurveCard("Loss", "loss")
    qtbot.addWidget(card)
    card.resize(400, 300)
    card.show()
    card.set_log(True)
    card.set_smoothing(3)
    card.show_curves([Curve("train", np.arange(5.0), np.array([1.0, math.nan, 0.1, 0.0, math.inf]), "accent")])
    assert not card.grab().isNull()


@pytest.mark.parametrize("span", [1e-7, 0.37, 1.0, 61.0, 1e5])
def test_axes_have_two_to_six_round_numbers(span: float) -> None:
    assert 1.9 <= span / round_step(span, 5) <= 5


def test_figures_come_from_the_runs_rows(qtbot: QtBot, write_run: WriteRun) -> None:
    dashboard = Dashboard()
    qtbot.addWidget(dashboard)
    dashboard.refresh(history_of(write_run(dice=0.9)))
    qtbot.waitUntil(
        lambda: "samples_per_s" in dashboard.cards and bool(dashboard.cards["samples_per_s"].values_at(None))
    )
    assert dashboard.monitor.figure.text() == "0.900"
    assert dashboard.epoch.figure.text() == "3 / 3"
    assert (dashboard.left.title.text(), dashboard.left.figure.text()) == ("Took", "2 min")
    assert dashboard.pace.figure.text() == "8.0"
    assert set(dashboard.cards["dice"].values_at(None)) == {"anterior", "posterior"}


def test_a_card_that_is_put_up_moves_no_other_so_that_none_is_painted_again(qtbot: QtBot) -> None:
    dashboard = Dashboard()
    qtbot.addWidget(dashboard)
    dashboard.resize(900, 700)
    dashboard.show()
    points = Points(*(np.arange(3.0) for _ in range(4)))
    history = History()
    for keys in (
        ["train/loss", "lr"],
        ["val/loss", *(f"val/{name}" for name in ("auroc", "auprc", "f1", "brier", "ece"))],
    ):
        history.series |= dict.fromkeys(keys, points)
        dashboard.refresh(history)
        places = []
        while dashboard._waiting:
            dashboard._draw_next()
            dashboard.grab()  # lays out what waits to be
            places.append({group: card.geometry() for group, card in dashboard.cards.items() if card.isVisible()})
        shown = [{group: at[group] for group in places[-1] if group in at} for at in places]
        put_up = next(n for n, at in enumerate(shown) if at and n > 1)  # the first turns only arrange
        assert all(at.items() <= places[-1].items() for at in shown[put_up:])
    assert len(places[-1]) == 7


def test_cards_stand_two_a_row_and_one_in_a_narrow_window_each_with_its_names_and_what_is_counted(
    qtbot: QtBot, dark: None
) -> None:
    dashboard = Dashboard()
    qtbot.addWidget(dashboard)
    dashboard.resize(900, 700)
    dashboard.show()
    points = Points(*(np.arange(3.0) for _ in range(4)))
    history = History()
    history.series |= dict.fromkeys(
        ["val/auroc", "train/auroc", "train/loss", "val/loss", "train/samples_per_s"], points
    )
    dashboard.refresh(history)
    qtbot.waitUntil(lambda: bool(dashboard.cards) and not dashboard._waiting)
    loss, auroc = dashboard.cards["loss"], dashboard.cards["auroc"]
    assert list(auroc.values_at(None)) == list(loss.values_at(None)) == ["train", "val"]
    assert loss._across.text == "epoch"
    for width, beside in ((900, True), (400, False), (900, True)):
        dashboard.resize(width, 700)
        qtbot.waitUntil(lambda beside=beside: (loss.y() == auroc.y()) == beside)
        assert (loss.x() == auroc.x()) != beside
        assert loss.width() >= 240


def test_curves_of_one_run_are_not_seen_when_another_is_shown(qtbot: QtBot, write_run: WriteRun) -> None:
    dashboard = Dashboard()
    qtbot.addWidget(dashboard)
    dashboard.show()
    dashboard.refresh(history_of(write_run()))
    qtbot.waitUntil(lambda: not dashboard._waiting)
    assert any(card.isVisible() for card in dashboard.cards.values())
    dashboard.refresh(History())  # at once, before the other run has told anything
    assert not any(card.isVisible() for card in dashboard.cards.values())


def test_time_left_follows_the_pace_of_the_last_epochs_and_the_time_limit(write_run: WriteRun) -> None:
    history = history_of(write_run(state="running", epochs=3))
    assert history.run is not None
    history.run = replace(history.run, epochs=10, started=1000.0)
    assert history.seconds_left(now=1029.0) == pytest.approx(70.0)
    assert history.seconds_left(now=1034.0) == pytest.approx(65.0)
    limited = history.run.config.replace("max_minutes: 0.0", "max_minutes: 1")
    history.run = replace(history.run, config=limited)
    assert history.seconds_left(now=1034.0) == pytest.approx(26.0)


def test_only_what_is_new_is_read(write_run: WriteRun) -> None:
    id = write_run()
    with Catalog() as catalog:
        first = look(catalog, id, (0, 0))
        catalog.add_metrics(id, [("val/dice", 13, 3, 0.7, 1.0)])
        second = look(catalog, id, (first.last_point, first.last_event))
    assert {key: points.values.tolist() for key, points in second.points.items()} == {"val/dice": [0.7]}
    assert second.events == []


def test_names_are_whole_in_a_narrow_card_below_its_title_and_beside_it_in_a_wide_one(qtbot: QtBot, dark: None) -> None:
    card = CurveCard("Validation", "narrow")
    qtbot.addWidget(card)
    card.resize(1000, 260)
    card.show()
    names = ["Anterior hippocampus", "Posterior hippocampus", "Mean of all structures"]
    steps = np.arange(4.0)
    card.show_curves([Curve(name, steps, steps / 8, "accent") for name in names], 2.0)

    def said() -> str:
        return QTextDocumentFragment.fromHtml(card.readout.text()).toPlainText().replace("\xa0", " ")

    for width, below in ((1000, False), (300, True), (1000, False)):
        card.resize(width, 260)
        qtbot.waitUntil(lambda below=below: (card.readout.y() > card._title.geometry().bottom()) == below)
        assert all(name in said() for name in names)
        if below:
            qtbot.waitUntil(lambda: card.readout.height() >= card.readout.heightForWidth(card.readout.width()))
        assert card.readout.geometry().right() <= card.rect().right()
    card.resize(110, 260)
    qtbot.waitUntil(lambda: "Anterior hippocampus" not in said())
    assert said().count("0.375") == 3  # figures are never cut
    assert card.readout.toolTip().splitlines() == names


def test_a_long_run_comes_over_in_parts(qtbot: QtBot, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gui.train.watch.CHUNK", 7)
    history, watcher = History(), RunWatcher()
    watcher.updated.connect(history.add)
    watcher.watch(write_run())
    try:
        with Catalog() as catalog:
            every = catalog.metrics("run-1")
        qtbot.waitUntil(lambda: sum(len(p.values) for p in history.series.values()) == len(every), timeout=5_000)
        wanted = [point.value for point in every if point.key == "train/loss"]
        assert history.series["train/loss"].values.tolist() == wanted
    finally:
        watcher.pause()


def test_a_long_series_is_drawn_by_its_extremes() -> None:
    y = np.zeros(100_000)
    y[54_321] = 9.0
    x, shown = extremes(np.arange(100_000.0), y)
    assert len(x) < 2_000
    assert x[shown.argmax()] == 54_321


def test_a_flat_validation_is_remarked_on(write_run: WriteRun) -> None:
    id = write_run(state="running")
    with Catalog() as catalog:
        catalog.add_metrics(id, [("val/dice", 20 + n, 4 + n, 0.5, 1.0) for n in range(6)])
    text = remark(history_of(id), early_stopping=10)
    assert text == "No better Dice for 6 validations; the best was 0.800. Early stopping ends the run in 4 more."


def test_the_preview_shows_the_patients_right_on_the_left_and_the_front_up(qtbot: QtBot) -> None:
    view = SliceView()
    qtbot.addWidget(view)
    view.resize(240, 216)
    view.colours = {1: QColor("red")}
    image = np.zeros((20, 20), np.float32)
    prediction = np.zeros((20, 20), np.uint8)
    prediction[15:, 15:] = 1  # high x is the patient's right, high y the front
    view.show_preview(Preview(1, image, np.zeros_like(prediction), prediction, 0.5, "case"))
    picture = view.grab().toImage()
    assert picture.pixelColor(30, 20).red() > 80
    assert picture.pixelColor(210, 20).red() < 40
    assert picture.pixelColor(30, 200).red() < 40


def test_the_outline_goes_round_the_mask() -> None:
    mask = np.zeros((4, 4), bool)
    mask[1, 1:3] = True
    assert len(outline(mask)) == 6


def test_an_older_preview_stays_while_new_ones_come(qtbot: QtBot) -> None:
    panel = PreviewPanel()
    qtbot.addWidget(panel)
    asked: list[int] = []
    panel.epoch_wanted.connect(asked.append)
    panel.set_epochs([1, 2])
    panel.set_epochs([1, 2, 3])
    assert asked == [2, 3]
    panel.back.click()
    panel.set_epochs([1, 2, 3, 4])
    assert asked[2:] == [2, 2]


def test_a_preview_that_is_no_segmentation_has_its_own_caption(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "epoch_0003.npz"
    empty = np.zeros((4, 4), np.uint8)
    np.savez(
        file, image=np.eye(4, dtype=np.float32), truth=empty, prediction=empty, dice=np.nan, case="a",
        caption="as it is, as it was seen",
    )  # fmt: skip
    panel = PreviewPanel()
    qtbot.addWidget(panel)
    panel.show_preview(read_preview(file, 3))
    assert panel.caption.text() == "Epoch 3: as it is, as it was seen"


def test_a_torn_preview_is_an_error_and_no_crash(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "epoch_0001.npz").write_bytes(b"PK\x03\x04torn")
    reader = CatalogReader()
    try:
        with qtbot.waitSignal(reader.failed, timeout=5_000) as failed:
            reader.ask("preview", lambda _: read_preview(tmp_path / "epoch_0001.npz", 1))
        assert isinstance(failed.args[1], Exception)
        with qtbot.waitSignal(reader.answered, timeout=5_000) as answered:
            reader.ask("runs", lambda catalog: len(catalog.runs()))
        assert answered.args == ["runs", 0]
    finally:
        reader.close()


def test_filled_stays_are_drawn_over_the_truth(qtbot: QtBot, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (2, 8, 3)
    values, observed, hidden = rng.normal(80, 5, shape), np.ones(shape, bool), np.zeros(shape, bool)
    hidden[0, 2:5, 1] = hidden[1, 3, 2] = True
    file = tmp_path / "epoch_0002.npz"
    np.savez(
        file, values=values, observed=observed, hidden=hidden, filled=values + 1, times=np.arange(8.0),
        variables=["HR", "Temp", "Urine"], ids=["132539", "132540"], error=0.25,
    )  # fmt: skip
    panel = PreviewPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.show_preview(read_preview(file, 2))
    assert panel.title.text() == "STAY 132539" and not panel.view.isVisible() and panel.filled.isVisible()
    assert [row.name for row in panel.filled.rows] == ["Temp"]
    assert panel.filled.accessibleDescription() == "Temp: 3 hidden of 8, off by 1 on the mean"
    assert "0.25 of a variable's spread" in panel.caption.text()
    panel.next.click()
    assert panel.title.text() == "STAY 132540" and [row.name for row in panel.filled.rows] == ["Urine"]
    np.savez(file, values=values[:1], filled=values)
    with pytest.raises((ValueError, KeyError)):
        read_preview(file, 2)
