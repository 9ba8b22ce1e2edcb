"""Charts of results: they agree with the figures, share one threshold, and say in words what they show."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from core.metrics.curves import binary_curves, confusion
from gui.charts.bars import Bar, BarChart
from gui.charts.calibration import CalibrationChart, DecisionCurveChart
from gui.charts.confusion import ConfusionTable
from gui.charts.ranking import PrecisionRecallChart, RocChart
from gui.charts.scatter import MOST, ScatterChart
from gui.charts.threshold import Decisions, Threshold
from gui.widgets import scrolled
from gui.widgets.flow import Flow


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that come true as often as they say."""
    draw = np.random.default_rng(0)
    probability = draw.beta(1, 3, 2000)
    return probability, (draw.random(2000) < probability).astype(int)


@pytest.mark.parametrize("name", ["chart", "ranking", "threshold"])
def test_doctests(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"gui.charts.{name}")).failed == 0


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.37, 0.5, 1.0])
def test_any_threshold_is_counted_as_the_metrics_count_it(
    rows: tuple[np.ndarray, np.ndarray], threshold: float
) -> None:
    probability, truth = rows
    matrix = confusion(np.column_stack([1 - probability, probability]), truth, ["no", "yes"], threshold).matrix
    found = Decisions(probability, truth).at(threshold)
    assert [[found.true_negative, found.false_positive], [found.false_negative, found.true_positive]] == matrix


def test_dragging_the_threshold_moves_the_points_of_both_curves(
    qtbot: QtBot, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    threshold = Threshold()
    curves = binary_curves(*rows)
    charts = RocChart(threshold), PrecisionRecallChart(threshold), DecisionCurveChart(threshold)
    table = ConfusionTable(threshold)
    for widget in (*charts, table):
        qtbot.addWidget(widget)
    decisions = Decisions(*rows)
    charts[0].show_curve(curves.roc, [0.7, 0.8], decisions)
    charts[1].show_curve(curves.precision_recall, None, decisions)
    charts[2].show_curve(curves.decision)
    table.show_decisions(Decisions(*rows), ["survived", "died"])
    table.slider.setValue(250)
    decided = Decisions(*rows).at(0.25)
    false, true = charts[0].marked
    assert (1 - false, true) == pytest.approx((decided.specificity, decided.sensitivity))
    assert charts[1].marked == pytest.approx((decided.sensitivity, decided.precision))
    assert charts[0].read.text().startswith("Threshold 0.25")
    assert table.figures["Sensitivity"].text() == f"{decided.sensitivity:.2f}"
    assert "Threshold 0.25" in charts[2].read.text()
    assert "(0.700–0.800)" in charts[0].told.text()


def test_a_click_on_a_curve_takes_its_threshold(qtbot: QtBot, rows: tuple[np.ndarray, np.ndarray]) -> None:
    threshold = Threshold()
    chart = RocChart(threshold)
    qtbot.addWidget(chart)
    chart.resize(400, 360)
    chart.show()
    chart.show_curve(binary_curves(*rows).roc)
    qtbot.waitUntil(lambda: chart.plot.width() > 200)
    qtbot.mouseClick(chart.plot.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(chart.plot.width() // 2, 60))
    assert threshold.value != 0.5
    assert chart.marked[1] > 0.6


def test_one_outcome_alone_has_no_ranking_and_says_so(qtbot: QtBot) -> None:
    curves = binary_curves(np.array([0.2, 0.3]), np.array([0, 0]))
    chart = RocChart(Threshold())
    qtbot.addWidget(chart)
    chart.show_curve(curves.roc)
    assert "Both outcomes are needed" in chart.read.text()


def test_calibration_is_told_in_words(qtbot: QtBot, rows: tuple[np.ndarray, np.ndarray]) -> None:
    chart = CalibrationChart()
    qtbot.addWidget(chart)
    curve = binary_curves(*rows).calibration
    chart.show_curve(curve, 0.021)
    assert "ECE 0.021" in chart.told.text()
    assert "about as sure as right" in chart.read.text()
    assert f"{curve.count[0]:,} rows" in chart.accessibleDescription()


def test_more_than_two_outcomes_are_counted_without_a_threshold(qtbot: QtBot) -> None:
    table = ConfusionTable(Threshold())
    qtbot.addWidget(table)
    table.show_matrix(["a", "b", "c"], [[5, 1, 0], [0, 4, 2], [1, 0, 9]])
    assert table.ruled.isHidden()
    assert "b decided c: 2" in table.matrix.accessibleDescription()
    table.resize(400, 300)
    assert not table.grab().isNull()


def test_numbers_of_an_axis_stay_as_they_are_and_follow_what_is_drawn(qtbot: QtBot) -> None:
    chart = ScatterChart()
    qtbot.addWidget(chart)
    chart.resize(420, 320)
    chart.show()
    axis = chart.plot.getAxis("left")

    def numbers() -> tuple[list[str], bytes]:
        chart.grab()  # ranges are settled when the plot is painted
        place = axis.mapRectToDevice(axis.boundingRect()).toAlignedRect()
        painted = chart.plot.grab(place).toImage()
        low, high = sorted(axis.range)
        ((step, values),) = axis.tickValues(low, high, axis.height())
        return axis.tickStrings(values, axis.autoSIPrefixScale * axis.scale, step), bytes(painted.constBits())

    shares = np.linspace(0.1, 0.9, 9)
    chart.show_cases(shares, shares)
    first, painted = numbers()
    assert "0.5" in first or "0.4" in first
    chart.redraw()
    assert numbers() == (first, painted)  # pyqtgraph writes 500 from the second drawing on
    chart.show_cases(shares * 1000, shares * 1000)
    later, repainted = numbers()
    assert "500" in later or "400" in later
    assert repainted != painted


def test_in_a_scroll_area_a_chart_is_no_higher_than_it_has_to_be(qtbot: QtBot) -> None:
    chart = ScatterChart()
    flow = Flow(2, 16, 340)
    flow.show_widgets([chart])
    chart.setMinimumHeight(300)
    inside = QWidget()
    column = QVBoxLayout(inside)
    column.addWidget(flow)
    column.addStretch(1)
    area = scrolled(inside)
    qtbot.addWidget(area)
    area.resize(400, 250)
    area.show()
    chart.show_cases([0.1, 0.9], [0.2, 0.8])
    qtbot.waitUntil(lambda: chart.height() >= 300)
    assert chart.height() == 300


def test_names_of_bars_are_whole_while_there_is_room(qtbot: QtBot) -> None:
    chart = BarChart("importance", "Importance")
    qtbot.addWidget(chart)
    chart.show_bars([Bar("Clinical values", 0.2)])
    chart.resize(250, chart.sizeHint().height())
    needed = chart.fontMetrics().horizontalAdvance("Clinical values")
    assert needed > 0.38 * 250 - 12  # more than the usual share
    assert chart.name_px() >= needed + 12


def test_bars_are_chosen_by_a_click_and_told_with_their_values(qtbot: QtBot) -> None:
    chart = BarChart("importance", "Importance")
    qtbot.addWidget(chart)
    chart.show_bars([Bar("age", 0.2, "61"), Bar("sex", -0.1), Bar("lactate", 0.4, low=0.3, high=0.5)])
    chart.resize(400, chart.sizeHint().height())
    chart.show()
    with qtbot.waitSignal(chart.chosen) as chosen:
        qtbot.mouseClick(chart, Qt.MouseButton.LeftButton, pos=QPoint(200, 30))
    assert chosen.args == ["sex"]
    assert "age = 61: +0.2" in chart.accessibleDescription()
    assert not chart.grab().isNull()


def test_many_cases_are_thinned_in_the_drawing_and_not_in_the_figures(qtbot: QtBot) -> None:
    truth = np.random.default_rng(0).normal(size=3 * MOST)
    chart = ScatterChart("mmHg")
    qtbot.addWidget(chart)
    chart.show_cases(truth, truth)
    assert chart.told.text().startswith("r 1.000 · R² 1.000")
    assert f"{3 * MOST:,} cases" in chart.accessibleDescription()
    assert len(chart._truth) == MOST
