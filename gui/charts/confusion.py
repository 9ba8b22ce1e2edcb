"""Who is decided how: the table of truth against decision, at a threshold that can be dragged."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QSizePolicy, QSlider, QVBoxLayout, QWidget

from gui.charts.chart import shown
from gui.charts.threshold import Decisions, Threshold
from gui.theme import theme
from gui.widgets.labels import label

STEPS = 1000
SIDE_PX = 112
HEAD_PX = 26
MOST_SHADE = 150  # of 255
NAMES = ("Sensitivity", "Specificity", "Precision", "Negative value", "Accuracy")


class Matrix(QWidget):
    """Counts as a grid, darker where there are more of a row; rows are the truth, columns what was decided."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("confusion-matrix")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 130)
        self._names: list[str] = []
        self.counts: list[list[int]] = []
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(300, 180)

    def show_counts(self, names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        self._names, self.counts = list(names), [list(row) for row in counts]
        said = (
            f"{true} decided {decided}: {self.counts[row][column]}"
            for row, true in enumerate(self._names) for column, decided in enumerate(self._names)
        )  # fmt: skip
        self.setAccessibleName("Confusion table")
        self.setAccessibleDescription("; ".join(said))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._names:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = len(self._names)
        wide = (self.width() - SIDE_PX) / size
        high = (self.height() - HEAD_PX) / size
        centre = int(Qt.AlignmentFlag.AlignCenter)
        for row, name in enumerate(self._names):
            painter.setPen(theme().color("dim"))
            self._write(painter, QRectF(SIDE_PX + row * wide, 0, wide, HEAD_PX), f"decided: {name}", centre)
            left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            self._write(painter, QRectF(0, HEAD_PX + row * high, SIDE_PX - 8, high), f"truth: {name}", left)
            total = max(sum(self.counts[row]), 1)
            for column, count in enumerate(self.counts[row]):
                cell = QRectF(SIDE_PX + column * wide, HEAD_PX + row * high, wide, high).adjusted(2, 2, -2, -2)
                shade = QColor(theme().color("ok" if row == column else "bad"))
                shade.setAlpha(round(MOST_SHADE * count / total))
                painter.setBrush(shade)
                painter.setPen(QPen(theme().color("line"), 1))
                painter.drawRoundedRect(cell, 4, 4)
                painter.setPen(theme().color("text"))
                self._write(painter, cell, f"{count:,}\n{count / total:.0%}" if high > 44 else f"{count:,}", centre)

    def _write(self, painter: QPainter, area: QRectF, text: str, flags: int) -> None:
        if "\n" not in text:
            text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(area, flags, text)


class ConfusionTable(QFrame):
    """For two outcomes with a threshold and the shares that follow from it; for more, the counts alone."""

    def __init__(self, threshold: Threshold) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setObjectName("chart-confusion")
        self.setAccessibleName("Confusion table")
        self._threshold = threshold
        self._decisions: Decisions | None = None
        self._classes: list[str] = []
        self.matrix = Matrix()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("threshold")
        self.slider.setAccessibleName("Threshold of the decision")
        self.slider.setRange(0, STEPS)
        self.slider.valueChanged.connect(lambda at: threshold.set(at / STEPS))
        self.value = label("", "strong")
        self.value.setFixedWidth(44)
        threshold.changed.connect(lambda _: self._show())
        head = QHBoxLayout()
        head.addWidget(label("Decisions", "strong"))
        head.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label("Threshold", "dim"))
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        self.ruled = QWidget()
        self.ruled.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        self.shares = QWidget()
        grid = QGridLayout(self.shares)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(2)
        self.figures = {}
        for place, name in enumerate(NAMES):
            grid.addWidget(label(name, "small"), 0, place)
            self.figures[name] = label("", "strong")
            self.figures[name].setObjectName(f"share:{name}")
            grid.addWidget(self.figures[name], 1, place)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.matrix, 1)
        column.addWidget(self.ruled)
        column.addWidget(self.shares)

    def show_decisions(self, decisions: Decisions, classes: Sequence[str]) -> None:
        """Two outcomes, of which the second is decided for above the threshold."""
        self._decisions, self._classes = decisions, list(classes)
        self._show()

    def show_matrix(self, classes: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        """Counts of any number of outcomes, decided for the most probable."""
        self._decisions = None
        self.ruled.hide()
        self.shares.hide()
        self.matrix.show_counts(classes, counts)

    def _show(self) -> None:
        if self._decisions is None:
            return
        self.ruled.show()
        self.shares.show()
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(self._threshold.value * STEPS))
        self.value.setText(f"{self._threshold.value:.2f}")
        found = self._decisions.at(self._threshold.value)
        self.matrix.show_counts(
            self._classes,
            [[found.true_negative, found.false_positive], [found.false_negative, found.true_positive]],
        )
        values = found.sensitivity, found.specificity, found.precision, found.negative_value, found.accuracy
        for name, value in zip(NAMES, values, strict=True):
            self.figures[name].setText(shown(value))
            self.figures[name].setAccessibleName(f"{name}: {shown(value)}")
