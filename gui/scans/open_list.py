"""The list of scans that are open: one card each, the one in front marked."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from core.imaging.volume import Volume
from gui.widgets import ElidedLabel, dress, label, tool_button


def describe(volume: Volume) -> str:
    """One line: modality, size in voxels, spacing, such as "MR · 256 × 256 × 176 · 1.0 mm"."""
    sizes = " × ".join(str(n) for n in volume.shape)
    low, high = min(volume.spacing_mm), max(volume.spacing_mm)
    spacing = f"{low:.2g} mm" if high - low < 0.01 * high else " × ".join(f"{s:.2g}" for s in volume.spacing_mm) + " mm"
    return " · ".join(part for part in (volume.source.modality, sizes, spacing) if part)


class ScanCard(QFrame):
    """One open scan; a click or the space bar brings it to the front."""

    chosen = Signal()
    close_requested = Signal()

    def __init__(self, volume: Volume, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("scan-card")
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"Open scan {volume.title}")
        self.setToolTip(str(volume.source.path))
        close = tool_button("close", "close-scan", f"Close {volume.title}", self.close_requested.emit)
        close.setIconSize(QSize(16, 16))
        close.setFixedSize(QSize(22, 22))
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(ElidedLabel(volume.title, "strong"), 1)
        head.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 6, 9)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(label(describe(volume), "small", wrap=True))

    def set_selected(self, selected: bool) -> None:
        dress(self, "selected", selected)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.close_requested.emit()
        else:
            super().keyPressEvent(event)


class OpenList(QWidget):
    """The cards, in the order in which the scans were opened."""

    chosen = Signal(int)
    close_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("open-scans")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self.cards: list[ScanCard] = []

    def add(self, volume: Volume) -> None:
        card = ScanCard(volume, self)
        card.chosen.connect(lambda: self.chosen.emit(self.cards.index(card)))
        card.close_requested.connect(lambda: self.close_requested.emit(self.cards.index(card)))
        self.cards.append(card)
        self._column.addWidget(card)

    def remove(self, place: int) -> None:
        card = self.cards.pop(place)
        self._column.removeWidget(card)
        card.hide()
        card.deleteLater()

    def select(self, place: int) -> None:
        for number, card in enumerate(self.cards):
            card.set_selected(number == place)
