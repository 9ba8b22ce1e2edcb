"""The result of a prediction: its structures in a table, what to know about it, and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from gui.predict.stored import totals
from gui.theme import theme
from gui.theme.structures import structure_colours
from gui.widgets import label, notice

if TYPE_CHECKING:
    from core.catalog import PredictionRow

ROW_PX = 32
HEAD_PX = 32
ROWS_SHOWN = 12
SWATCH_PX = 10
LEVELS = {"info": "info", "warning": "warn", "error": "bad"}
CONFIDENCE_TIP = "Mean probability the model gave the voxels of the structure. It is no measure of accuracy."


class ResultsView(QWidget):
    """Shows one prediction; `show_prediction` takes the next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.made = label("", "small", wrap=True)
        self.made.setObjectName("prediction_made")
        self.table = structures_table("prediction_structures", "Structures with volume and confidence")
        self._notices = QVBoxLayout()
        self._notices.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.table)
        column.addLayout(self._notices)
        column.addWidget(self.made)
        self._row: PredictionRow | None = None
        self._simulated = False
        theme().changed.connect(self._fill)

    def show_prediction(self, row: PredictionRow, *, simulated: bool = False) -> None:
        """`simulated`: the model was trained on simulated data, which its every result has to say."""
        self._row, self._simulated = row, simulated
        self._fill()

    def _fill(self) -> None:
        row = self._row
        if row is None:
            return
        fill_structures(self.table, row.structures)
        while (item := self._notices.takeAt(0)) is not None:
            item.widget().deleteLater()
        if self._simulated:
            self._notices.addWidget(notice("The model was trained on simulated data.", "warn"))
        for finding in row.findings:
            self._notices.addWidget(notice(finding["message"], LEVELS.get(finding["severity"], "info")))
        self.made.setText(f"{row.model} {row.model_version} · {seconds_text(row.seconds)} · {row.device.upper()}")


def structures_table(name: str, accessible: str) -> QTableWidget:
    """An empty table of structures: name with its colour, volume, confidence."""
    table = QTableWidget(0, 3)
    table.setObjectName(name)
    table.setAccessibleName(accessible)
    table.setHorizontalHeaderLabels(["Structure", "Volume", "Confidence"])
    table.verticalHeader().hide()
    table.setShowGrid(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
    table.setWordWrap(False)
    head = table.horizontalHeader()
    head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column in (1, 2):
        head.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    head.setHighlightSections(False)
    head.setFixedHeight(HEAD_PX)
    for column in range(3):
        side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
        table.horizontalHeaderItem(column).setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    table.horizontalHeaderItem(2).setToolTip(CONFIDENCE_TIP)
    return table


def fill_structures(table: QTableWidget, structures: list[dict[str, Any]]) -> None:
    """Put structures and their totals into a table, and make it as high as its rows."""
    colours, sums = structure_colours(structures), totals(structures)
    table.setRowCount(len(structures) + len(sums))
    for at, structure in enumerate(structures):
        name = QTableWidgetItem(swatch(colours[int(structure["label"])]), structure["name"])
        confidence = structure.get("confidence")
        _set_row(
            table, at, name, volume_text(structure["volume_ml"]), "–" if confidence is None else f"{confidence:.2f}"
        )
    for at, (text, volume_ml) in enumerate(sums, start=len(structures)):
        _set_row(table, at, QTableWidgetItem(text), volume_text(volume_ml), "", colour=theme().color("dim"))
    shown = min(table.rowCount(), ROWS_SHOWN)
    table.setFixedHeight(HEAD_PX + ROW_PX * shown + 2)


def _set_row(
    table: QTableWidget, at: int, name: QTableWidgetItem, volume: str, confidence: str, colour: QColor | None = None
) -> None:
    table.setRowHeight(at, ROW_PX)
    name.setToolTip(name.text())
    items = [name, QTableWidgetItem(volume), QTableWidgetItem(confidence)]
    for column, item in enumerate(items):
        if column:
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setFont(tabular(table.font()))
        if colour is not None:
            item.setForeground(colour)
        table.setItem(at, column, item)


def tabular(font: QFont) -> QFont:
    """The font with figures of equal width, so that columns of numbers line up."""
    made = QFont(font)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def swatch(colour: QColor, size: int = SWATCH_PX) -> QIcon:
    """A small rounded square of a structure's colour."""
    made = QIcon()
    for scale in (1, 2):
        picture = QPixmap(size * scale, size * scale)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(picture.rect()), 2.5 * scale, 2.5 * scale)
        painter.end()
        picture.setDevicePixelRatio(scale)
        for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
            made.addPixmap(picture, mode)
    return made


def volume_text(volume_ml: float) -> str:
    """A volume for people: two decimals, more for a tiny one.

    >>> volume_text(1.7249), volume_text(0.0042), volume_text(0)
    ('1.72 mL', '0.0042 mL', '0.00 mL')
    """
    return f"{volume_ml:.2f} mL" if volume_ml >= 0.01 or volume_ml == 0 else f"{volume_ml:.2g} mL"


def seconds_text(seconds: float) -> str:
    """A duration for people.

    >>> seconds_text(1.84), seconds_text(75)
    ('1.8 s', '1 min 15 s')
    """
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {round(seconds % 60)} s"
