"""The result of a prediction: its structures in a table, what to know about it, and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QIcon, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from core.inference.confidence import CODE
from core.inference.sides import asymmetries
from gui.predict.stored import totals
from gui.theme import theme
from gui.theme.structures import structure_colours
from gui.widgets import label, notice

if TYPE_CHECKING:
    from core.catalog import PredictionRow

ROW_PX = 32
HEAD_PX = 32
ROWS_SHOWN = 12
FIGURE_COLUMNS = {1: 72, 2: 84}  # wide enough for +200.0 % in its cell's padding, and for "Confidence"
SWATCH_PX = 10
NAME_MARGINS_PX = 36  # the cell's padding, the swatch and the space after it
NAME_ROLE = Qt.ItemDataRole.UserRole
LEVELS = {"info": "info", "warning": "warn", "error": "bad"}
CONFIDENCE_TIP = "Mean probability the model gave the voxels of the structure. It is no measure of accuracy."
ASYMMETRY_TIP = "(L - R) / ((L + R) / 2): positive where the left side is larger."


class ResultsView(QWidget):
    """Shows one prediction; `show_prediction` takes the next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.made = label("", "small", wrap=True)
        self.made.setObjectName("prediction-made")
        self.table = StructuresTable("prediction-structures")
        self._notices = QVBoxLayout()
        self._notices.setSpacing(8)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(self._notices)  # before the figures, which they may make worthless
        column.addWidget(self.table)
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
        known = next((one["message"] for one in row.findings if one["code"] == CODE), "")
        self.table.show_structures(row.structures, known)
        while (item := self._notices.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        if self._simulated:
            self._notices.addWidget(notice("The model was trained on simulated data.", "warn"))
        for finding in row.findings:
            if finding["code"] == CODE:  # told beside the figures
                continue
            self._notices.addWidget(notice(finding["message"], LEVELS.get(finding["severity"], "info")))
        self.made.setText(f"{row.model} {row.model_version} · {seconds_text(row.seconds)} · {row.device.upper()}")


class StructuresTable(QTableWidget):
    """Structures with their colour, volume and confidence, as high as its rows.

    Long names wrap: one cut short could lose its side.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(0, 3, parent)
        self.setObjectName(name)
        self.setAccessibleName("Structures with volume and confidence")
        self.setHorizontalHeaderLabels(["Structure", "mL", "Confidence"])
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(ROW_PX)
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
        self.setTabKeyNavigation(False)
        head = self.horizontalHeader()
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in FIGURE_COLUMNS.items():
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, width)
        head.setHighlightSections(False)
        head.setFixedHeight(HEAD_PX)
        for column in range(3):
            side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
            self.horizontalHeaderItem(column).setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        self.horizontalHeaderItem(2).setToolTip(CONFIDENCE_TIP)

    def show_structures(self, structures: list[dict[str, Any]], calibrated: str = "") -> None:
        """Put structures, their totals and how much left and right differ into the table.

        calibrated: how well the confidence is calibrated, in words; "" where it is not.
        """
        told = calibrated or "Neither is calibrated."
        colours = structure_colours(structures)
        sums = [(text, volume_figure(volume_ml), "") for text, volume_ml in totals(structures)]
        sums += [(f"Asymmetry, {one.name.lower()}", one.text, ASYMMETRY_TIP) for one in asymmetries(structures)]
        self.setRowCount(len(structures) + len(sums))
        for at, structure in enumerate(structures):
            name = QTableWidgetItem(swatch(colours[int(structure["label"])]), structure["name"])
            confidence = structure.get("confidence")
            said = "–" if confidence is None else f"{confidence:.2f}"
            unsure = "" if confidence is None else f"Mean uncertainty {1 - confidence:.2f}. {told}"
            self._set_row(at, name, volume_figure(structure["volume_ml"]), said)
            self.item(at, 2).setToolTip(unsure)
        for at, (text, figure, tip) in enumerate(sums, start=len(structures)):
            self._set_row(at, QTableWidgetItem(text), figure, "", theme().color("dim"))
            for column in range(2):
                self.item(at, column).setToolTip(tip)
        self._fit()

    def _set_row(
        self, at: int, name: QTableWidgetItem, volume: str, confidence: str, colour: QColor | None = None
    ) -> None:
        name.setData(NAME_ROLE, name.text())
        name.setData(Qt.ItemDataRole.AccessibleTextRole, name.text())
        for column, item in enumerate((name, QTableWidgetItem(volume), QTableWidgetItem(confidence))):
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setFont(tabular(self.font()))
            if colour is not None:
                item.setForeground(colour)
            self.setItem(at, column, item)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        metrics = self.fontMetrics()
        room = self.columnWidth(0) - NAME_MARGINS_PX
        for at in range(self.rowCount()):
            item = self.item(at, 0)
            lines = wrapped(item.data(NAME_ROLE), room, metrics)
            item.setText("\n".join(lines))
            self.setRowHeight(at, ROW_PX + metrics.lineSpacing() * (len(lines) - 1))
        shown = range(min(self.rowCount(), ROWS_SHOWN))
        self.setFixedHeight(HEAD_PX + sum(self.rowHeight(at) for at in shown) + 2)


def wrapped(text: str, width_px: int, metrics: QFontMetrics) -> list[str]:
    """The text in lines of at most that width, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and metrics.horizontalAdvance(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]


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


def volume_figure(volume_ml: float) -> str:
    """Millilitres for people: two decimals, more for a tiny volume, fewer for a large one.

    >>> volume_figure(1.7249), volume_figure(0.0042), volume_figure(0), volume_figure(1432.71)
    ('1.72', '0.0042', '0.00', '1433')
    """
    if volume_ml >= 100:
        return f"{volume_ml:.0f}"
    return f"{volume_ml:.2f}" if volume_ml >= 0.01 or volume_ml == 0 else f"{volume_ml:.2g}"


def volume_text(volume_ml: float) -> str:
    """The figure with its unit."""
    return f"{volume_figure(volume_ml)} mL"


def seconds_text(seconds: float) -> str:
    """A duration for people.

    >>> seconds_text(1.84), seconds_text(75), seconds_text(0.003)
    ('1.8 s', '1 min 15 s', '<0.1 s')
    """
    if 0 < seconds < 0.05:
        return "<0.1 s"
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {round(seconds % 60)} s"
