"""Widgets that stand side by side while there is room."""

from __future__ import annotations

from PySide6.QtWidgets import QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from gui.widgets import scrolled
from gui.widgets.flow import Flow


def flow_in_area(qtbot: QtBot, count: int = 4, most: int = 4) -> tuple[QScrollArea, Flow, list[QWidget]]:
    flow = Flow(most, 10, least_px=100)
    widgets = [QWidget() for _ in range(count)]
    for widget in widgets:
        widget.setMinimumHeight(30)
    flow.show_widgets(widgets)
    area = scrolled(flow)
    qtbot.addWidget(area)
    area.resize(450, 300)
    area.show()
    return area, flow, widgets


def test_half_as_many_stand_in_a_row_where_there_is_no_room_for_all(qtbot: QtBot) -> None:
    area, flow, widgets = flow_in_area(qtbot)
    for width, columns in ((450, 4), (420, 2), (190, 1), (450, 4)):
        area.resize(width, 300)
        qtbot.waitUntil(lambda columns=columns: flow.columns == columns)
        qtbot.waitUntil(lambda columns=columns: len({widget.y() for widget in widgets}) == 4 // columns)
        qtbot.waitUntil(lambda: all(widget.geometry().right() < flow.width() for widget in widgets))
        assert flow.width() <= area.viewport().width()  # nothing is cut off


def test_a_widget_that_grows_takes_its_room(qtbot: QtBot) -> None:
    _, flow, widgets = flow_in_area(qtbot)
    qtbot.waitUntil(lambda: flow.columns == 4)
    widgets[1].setMinimumWidth(160)
    qtbot.waitUntil(lambda: flow.columns == 2)


def test_what_is_not_shown_any_more_is_hidden(qtbot: QtBot) -> None:
    _, flow, widgets = flow_in_area(qtbot)
    flow.show_widgets(widgets[2:])
    assert [widget.isHidden() for widget in widgets] == [True, True, False, False]
