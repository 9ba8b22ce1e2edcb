"""The scans of a folder as a table; the pictures of the rows on the screen are made one after another in jobs."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPixmap

from core.imaging.choices import Preview, ScanChoice, preview
from gui.context import AppContext
from gui.jobs.jobs import Job
from gui.theme import theme

COLUMNS = ("Series", "Modality", "Slices", "Size", "Spacing", "Date")
PICTURE_PX = 64
Index = QModelIndex | QPersistentModelIndex
UNKNOWN = "–"


class PickerModel(QAbstractTableModel):
    """Rows of choices. A picture is asked for when its row is first drawn."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context = context
        self.choices: list[ScanChoice] = []
        self._previews: dict[ScanChoice, Preview | None] = {}
        self._icons: dict[ScanChoice, QIcon] = {}
        self._wanted: deque[ScanChoice] = deque()
        self._job: Job | None = None

    def add(self, choices: list[ScanChoice]) -> None:
        new = [choice for choice in choices if choice not in self.choices]
        self.beginInsertRows(QModelIndex(), len(self.choices), len(self.choices) + len(new) - 1)
        self.choices += new
        self.endInsertRows()

    def clear(self) -> None:
        """Forget the choices and end the making of pictures."""
        self.beginResetModel()
        self.choices = []
        self._wanted.clear()
        self._previews.clear()
        self._icons.clear()
        self.endResetModel()
        if self._job is not None:
            self._job.cancel()
            self._job = None

    # ---- pictures -----------------------------------------------------------------------------------------------

    def _want(self, choice: ScanChoice) -> None:
        if choice not in self._previews and choice not in self._wanted:
            self._wanted.append(choice)
            self._next()

    def _next(self) -> None:
        if self._job is not None or not self._wanted:
            return
        choice = self._wanted.popleft()
        self._job = self._context.jobs.run(
            f"Picture of {choice.name}",
            partial(preview, choice),
            done=partial(self._made, choice),
            failed=lambda _error: self._made(choice, None),
            kind="background",
        )

    def _made(self, choice: ScanChoice, made: Preview | None) -> None:
        self._job = None
        if choice in self.choices:
            self._previews[choice] = made
            row = self.choices.index(choice)
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))
        self._next()

    def pictures_made(self) -> int:
        return len(self._previews)

    def _icon(self, choice: ScanChoice) -> QIcon:
        made = self._previews.get(choice)
        if made is None:
            self._want(choice)
            return _icon(None)
        if choice not in self._icons:
            self._icons[choice] = _icon(made.picture)
        return self._icons[choice]

    # ---- the table ----------------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.choices)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        choice, column = self.choices[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(choice, column)
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return self._icon(choice)
        if role == Qt.ItemDataRole.ToolTipRole and column == 0:
            return str(choice.path)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == 0:
            return ", ".join(self._text(choice, n).replace("\n", ", ") for n in range(len(COLUMNS)))
        return None

    def _text(self, choice: ScanChoice, column: int) -> str:
        info, made = choice.info, self._previews.get(choice)
        if column == 0:
            return f"{choice.name}\n{_below(choice)}"
        if info is not None:
            return (
                "",
                info.modality or UNKNOWN,
                str(info.images) if info.placed else f"{info.images} without a place",
                f"{info.columns} × {info.rows}",
                _spacing(info.spacing_mm),
                info.date or UNKNOWN,
            )[column]
        if made is None or not made.shape:
            return UNKNOWN
        i, j, k = made.shape[:3]
        return ("", UNKNOWN, str(k), f"{i} × {j}", _spacing(made.spacing_mm), UNKNOWN)[column]


def _below(choice: ScanChoice) -> str:
    """The second line of a row: the series' number, or the file."""
    if choice.info is None:
        return choice.path.name
    folder = choice.path if choice.path.is_dir() else choice.path.parent
    middle = choice.info.middle
    where = middle.parent if middle is not None and folder in middle.parents else folder
    shown = str(where.relative_to(folder)) if where != folder else folder.name
    return f"Series {choice.info.number} · {shown}" if choice.info.number else shown


def _spacing(spacing_mm: tuple[float, float, float]) -> str:
    if min(spacing_mm[:2]) <= 0:
        return UNKNOWN
    shown = [f"{size:.3g}" for size in spacing_mm if size > 0]
    return f"{shown[0]} mm" if len(set(shown)) == 1 and len(shown) == 3 else " × ".join(shown) + " mm"


def _icon(picture: np.ndarray[Any, Any] | None) -> QIcon:
    """The picture as it is, also where its row is selected: a grey value must not turn blue."""
    made, pixmap = QIcon(), _square(picture)
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        made.addPixmap(pixmap, mode)
    return made


def _square(picture: np.ndarray[Any, Any] | None) -> QPixmap:
    """A picture on a black square; None: the square alone."""
    pixmap = QPixmap(2 * PICTURE_PX, 2 * PICTURE_PX)
    pixmap.fill(theme().color("view_ground"))
    if picture is not None:
        rows, columns = picture.shape
        image = QImage(picture.data, columns, rows, columns, QImage.Format.Format_Grayscale8)
        scale = 2 * PICTURE_PX / max(rows, columns)
        wide, high = round(columns * scale), round(rows * scale)
        place = QRect((pixmap.width() - wide) // 2, (pixmap.height() - high) // 2, wide, high)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, image)
        painter.setPen(QColor(theme().tokens.view_line))
        painter.drawRect(pixmap.rect().adjusted(0, 0, -1, -1))
        painter.end()
    pixmap.setDevicePixelRatio(2)
    return pixmap
