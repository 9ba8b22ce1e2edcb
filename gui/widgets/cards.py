"""Cards, notices and empty states."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from core import RESEARCH_ONLY
from gui.theme import drawing
from gui.theme.theme import theme
from gui.widgets.controls import tool_button
from gui.widgets.labels import dress, label

SIGNS = {"ok": "✓", "info": "i", "warn": "!", "bad": "✕"}


def card(parent: QWidget | None = None, margin: int = 12, spacing: int = 4) -> tuple[QFrame, QVBoxLayout]:
    """A raised frame and the layout inside it."""
    frame = QFrame(parent)
    frame.setProperty("role", "card")
    inside = QVBoxLayout(frame)
    inside.setContentsMargins(margin, margin - 2, margin, margin - 2)
    inside.setSpacing(spacing)
    return frame, inside


def line(parent: QWidget | None = None) -> QFrame:
    """A hairline."""
    made = QFrame(parent)
    made.setProperty("role", "line")
    return made


def notice(text: str, level: str = "info", parent: QWidget | None = None) -> QFrame:
    """A sentence that stays where it is, with its sign and colour."""
    frame = QFrame(parent)
    frame.setProperty("role", "notice")
    frame.setProperty("level", level)
    row = QHBoxLayout(frame)
    row.setContentsMargins(12, 8, 12, 8)
    row.setSpacing(8)
    row.addWidget(sign(level), 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(label(text, wrap=True), 1)
    frame.setAccessibleName(text)
    return frame


def sign(level: str) -> QLabel:
    """The sign of a level: no state is told by colour alone."""
    made = label(SIGNS.get(level, "i"), "sign")
    made.setProperty("level", level)
    made.setFixedWidth(12)
    return made


def scrolled(inside: QWidget, parent: QWidget | None = None) -> QScrollArea:
    """`inside` in an area that scrolls up and down."""
    inside.setProperty("role", "scrolled")
    area = QScrollArea(parent)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    area.viewport().setAutoFillBackground(False)
    return area


def answer_panel(inside: QWidget, least_px: int) -> QFrame:
    """The right side of a page with a model's answers: `inside`, scrolled, over the line about its use."""
    frame = QFrame()
    frame.setProperty("role", "panel")
    frame.setMinimumWidth(least_px)
    research = label(RESEARCH_ONLY, "small", wrap=True)
    research.setContentsMargins(16, 0, 16, 4)
    column = QVBoxLayout(frame)
    column.setContentsMargins(0, 0, 0, 8)
    column.addWidget(scrolled(inside), 1)
    column.addWidget(research)
    return frame


class EmptyState(QWidget):
    """What a place says while it has nothing to show: a picture, a line, what to do next, and buttons for it."""

    def __init__(self, icon: str, title: str, text: str, *buttons: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = icon
        self._picture = QLabel()
        self._picture.setFixedSize(QSize(48, 48))
        self.title = label(title, "headline", wrap=True)
        self.text = label(text, "dim", wrap=True)
        self.text.setMinimumWidth(280)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._picture, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        self.title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.text.setMaximumWidth(460)  # a line that is longer is hard to read
        column.addWidget(self.title)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self.text, 100)
        middle.addStretch(1)
        column.addLayout(middle)
        if buttons:
            column.addSpacing(8)
            row = QHBoxLayout()
            row.setSpacing(8)
            row.addStretch(1)
            for one in buttons:
                row.addWidget(one)
            row.addStretch(1)
            column.addLayout(row)
        column.addStretch(3)
        theme().changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        scale = self._picture.devicePixelRatioF()
        self._picture.setPixmap(drawing.pixmap(self._icon, theme().tokens.accent, 48, scale))


class NoticeBar(QFrame):
    """The line under the top bar that tells what happened. Good news goes by itself; the rest waits to be closed."""

    dismissed = Signal()
    GOES_AFTER_MS = 6000

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setProperty("role", "notice")
        self._sign = label("", "sign")
        self._text = label("", wrap=True)
        self._text.setObjectName("notice-text")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 8, 8)
        row.setSpacing(10)
        row.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._text, 1)
        close = tool_button("close", "notice-close", "Close this notice", self.dismiss)
        close.setFixedSize(QSize(20, 20))
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @property
    def text(self) -> str:
        return self._text.text() if not self.isHidden() else ""

    def show_notice(self, level: str, text: str) -> None:
        level = {"warning": "warn", "error": "bad"}.get(level, level)
        self._text.setText(text)
        self._sign.setText(SIGNS.get(level, "i"))
        for widget in (self, self._sign):
            dress(widget, "level", level)
        self.setAccessibleName(text)
        self.show()
        self._timer.stop()
        if level in ("info", "ok"):
            self._timer.start(self.GOES_AFTER_MS)

    def dismiss(self) -> None:
        self._timer.stop()
        self.hide()
        self.dismissed.emit()
