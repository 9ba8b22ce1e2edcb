"""The left side of the Scans page: what is open, its layers, and what was found while reading it."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from gui.widgets import scrolled, section


def side_panel(open_list: QWidget, layers: QWidget, checks: QWidget) -> QFrame:
    """The three under each other, in a frame that scrolls."""
    inside = QWidget()
    column = QVBoxLayout(inside)
    column.setContentsMargins(16, 12, 16, 16)
    column.setSpacing(8)
    column.addWidget(section("Open scans"))
    column.addWidget(open_list)
    column.addSpacing(12)
    column.addWidget(layers)
    column.addSpacing(12)
    column.addWidget(checks)
    column.addStretch(1)
    frame = QFrame()
    frame.setProperty("role", "panel")
    frame.setMinimumWidth(200)
    outer = QVBoxLayout(frame)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(scrolled(inside))
    return frame
