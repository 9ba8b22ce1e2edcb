"""The uncertainty map among the layers: shown or not, and what its colours mean."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from gui.theme.theme import theme
from gui.viewer.pictures import heat
from gui.viewer.scene import Scene
from gui.widgets import label

WHAT = "1 - the probability of the label that each voxel was given."
NOT_CALIBRATED = f"{WHAT} It is not calibrated: it shows where to look first, not how likely an error is."
CALIBRATED = (
    f"{WHAT} It is calibrated on cases that the model was not trained on: near the structures of scans like those,"
    " about 3 in 10 voxels at 0.3 are wrong."
)


class UncertaintyRow(QWidget):
    """A check box, and a colour bar with its ends."""

    def __init__(self, scene: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        shown = scene.uncertainty
        highest = shown.highest if shown is not None else 1.0
        self.check = QCheckBox("Uncertainty (U)")
        self.check.setObjectName("layer-uncertainty")
        self.check.setAccessibleName("Show the uncertainty")
        known = shown is not None and shown.calibrated
        self.setToolTip(CALIBRATED if known else NOT_CALIBRATED)
        self.check.setToolTip(self.toolTip())
        self.check.setChecked(shown is not None and shown.shown)
        self.check.toggled.connect(scene.show_uncertainty)
        scale = QHBoxLayout()
        scale.setSpacing(8)
        for widget, stretch in ((label("0", "small"), 0), (HeatBar(highest), 1), (label(f"≥ {highest:g}", "small"), 0)):
            scale.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.check)
        column.addLayout(scale)
        column.addWidget(label(f"1 − probability, {'' if known else 'not '}calibrated", "small", wrap=True))


class HeatBar(QWidget):
    """The colours of an uncertainty map as they lie over black."""

    def __init__(self, highest: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = heat(1 / 255 / highest)[: round(255 * highest) + 1]
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(80, 10)

    def paintEvent(self, _event: QPaintEvent) -> None:
        gradient = QLinearGradient(0, 0, self.width(), 0)
        last = len(self._colours) - 1
        for place in range(0, last + 1, max(last // 16, 1)):
            gradient.setColorAt(place / last, QColor(int(self._colours[place]) & 0xFFFFFF))
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("view_ground"))
        painter.fillRect(self.rect(), gradient)
