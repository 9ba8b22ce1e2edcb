"""Small parts that every page uses."""

from gui.widgets.cards import EmptyState, NoticeBar, answer_panel, card, line, notice, scrolled
from gui.widgets.controls import button, menu_button, tool_button
from gui.widgets.labels import ElidedLabel, dress, label, section
from gui.widgets.swatch import Swatch

__all__ = [
    "ElidedLabel",
    "EmptyState",
    "NoticeBar",
    "Swatch",
    "answer_panel",
    "button",
    "card",
    "dress",
    "label",
    "line",
    "menu_button",
    "notice",
    "scrolled",
    "section",
    "tool_button",
]
