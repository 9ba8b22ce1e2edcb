"""One validation case after each epoch: a slice in grey, the truth outlined, the prediction filled; or filled stays."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QVBoxLayout, QWidget

from gui.stays.filled import FilledView, caption
from gui.stays.filling import FilledStays
from gui.theme import theme
from gui.theme.structures import structure_colours
from gui.train.history import figure_text
from gui.train.watch import Preview
from gui.widgets.controls import tool_button
from gui.widgets.labels import label, section

FILL_ALPHA = 120


class SliceView(QWidget):
    """Paints a preview as a radiologist looks at it: the patient's right on the left, front up."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("preview-slice")
        self.setAccessibleName("Preview of a validation case")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 160)
        self.colours: dict[int, QColor] = {}
        self._image: QImage | None = None
        self._filled: QImage | None = None
        self._outlines: list[tuple[QColor, list[QLineF]]] = []
        self._size = (1, 1)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(268, 250)

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt's name
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        return round(width * 0.94)

    def show_preview(self, preview: Preview | None) -> None:
        if preview is None:
            self._image = self._filled = None
            self.update()
            return
        image, truth, prediction = (displayed(array) for array in (preview.image, preview.truth, preview.prediction))
        self._size = (image.shape[1], image.shape[0])
        low, high = np.percentile(image, [1, 99.5])
        grey = np.clip((image - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
        self._image = _own(
            QImage(grey.tobytes(), grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8)
        )
        filled = np.zeros((*prediction.shape, 4), np.uint8)
        for value, colour in self.colours.items():
            filled[prediction == value] = (*colour.getRgb()[:3], FILL_ALPHA)
        self._filled = _own(QImage(filled.tobytes(), filled.shape[1], filled.shape[0], QImage.Format.Format_RGBA8888))
        self._outlines = [(colour, outline(truth == value)) for value, colour in self.colours.items()]
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("view_ground"))
        painter.drawRoundedRect(self.rect(), 6, 6)
        if self._image is None or self._filled is None:
            painter.setPen(theme().color("view_dim"))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "The first preview comes\nwith the first validation"
            )
            return
        width, height = self._size
        scale = min((self.width() - 40) / width, (self.height() - 16) / height)
        target = QRectF(0, 0, width * scale, height * scale)
        target.moveCenter(QPointF(self.width() / 2, self.height() / 2))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(target, self._image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(target, self._filled)
        painter.setPen(theme().color("letters"))
        painter.drawText(QRectF(6, 0, 14, self.height()), Qt.AlignmentFlag.AlignVCenter, "R")
        painter.drawText(QRectF(self.width() - 16, 0, 14, self.height()), Qt.AlignmentFlag.AlignVCenter, "L")
        painter.translate(target.topLeft())
        painter.scale(scale, scale)
        for colour, lines in self._outlines:
            pen = QPen(colour.lighter(125), 1.8)
            pen.setCosmetic(True)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLines(lines)


class PreviewPanel(QWidget):
    """The slice with its Dice, or a stay of several, and a way back through the epochs."""

    epoch_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.title = section("Preview")
        self.view = SliceView()
        self.filled = FilledView()
        self.next = tool_button("chevron-right", "preview-next-stay", "Another stay", self._next_stay)
        self.caption = label("", "dim", wrap=True)
        self.caption.setObjectName("preview-caption")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("preview-epoch")
        self.slider.setAccessibleName("Epoch of the preview")
        self.slider.valueChanged.connect(self._moved)
        self.back = tool_button("chevron-left", "preview-back", "One epoch back", lambda: self._step(-1))
        self.forth = tool_button("chevron-right", "preview-forth", "One epoch on", lambda: self._step(1))
        self._epochs: list[int] = []
        self._shown: Preview | FilledStays | None = None
        self._stay = 0
        top = QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.next)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.back)
        row.addWidget(self.slider, 1)
        row.addWidget(self.forth)
        self._steps = QWidget()
        self._steps.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        for widget in (self.view, self.filled, self._steps, self.caption):
            column.addWidget(widget)
        self.clear()

    def clear(self) -> None:
        self._epochs, self._shown = [], None
        self.title.setText("PREVIEW")
        self.caption.setText("")
        self._steps.hide()
        self._stay = 0
        self._show_kind(stays=False)
        self.view.show_preview(None)

    def set_structures(self, names: list[str]) -> None:
        """The structures in the order of the network's output, whose values run from 1."""
        self.view.colours = structure_colours({"label": n, "name": name} for n, name in enumerate(names, 1))

    def set_epochs(self, epochs: list[int]) -> None:
        """Tell which epochs have a preview; the newest is asked for unless an older one is being looked at."""
        if epochs == self._epochs:
            return
        at_end = not self._epochs or self.slider.value() >= len(self._epochs) - 1
        place = len(epochs) - 1 if at_end else min(self.slider.value(), len(epochs) - 1)
        self._epochs = list(epochs)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(len(epochs) - 1, 0))
        self.slider.setValue(place)
        self.slider.blockSignals(False)
        self._steps.setVisible(len(epochs) > 1)
        self._moved(place)

    def show_preview(self, preview: Preview | FilledStays) -> None:
        self._shown = preview
        self._show_kind(stays=isinstance(preview, FilledStays))
        if isinstance(preview, FilledStays):
            self._stay = min(self._stay, len(preview.ids) - 1)
            self.title.setText(f"STAY {preview.ids[self._stay].upper()}")
            self.title.setAccessibleName(f"Filled stay {preview.ids[self._stay]}")
            self.filled.show_stay(preview, self._stay)
            self.next.setVisible(len(preview.ids) > 1)
            self.caption.setText(caption(preview))
            return
        self.title.setText(f"PREVIEW · {preview.case.upper()}")
        self.title.setAccessibleName(f"Preview of {preview.case}")
        self.view.show_preview(preview)
        segmented = f"truth outlined, prediction filled · Dice {figure_text(preview.dice, 2)}"
        self.caption.setText(f"Epoch {preview.epoch}: {preview.caption or segmented}")

    def _show_kind(self, *, stays: bool) -> None:
        self.view.setVisible(not stays)
        self.filled.setVisible(stays)
        self.next.setVisible(stays)

    def _next_stay(self) -> None:
        if isinstance(self._shown, FilledStays):
            self._stay = (self._stay + 1) % len(self._shown.ids)
            self.show_preview(self._shown)

    def _step(self, by: int) -> None:
        self.slider.setValue(self.slider.value() + by)

    def _moved(self, place: int) -> None:
        self.back.setEnabled(place > 0)
        self.forth.setEnabled(place < len(self._epochs) - 1)
        if 0 <= place < len(self._epochs):
            self.epoch_wanted.emit(self._epochs[place])


def displayed(array: np.ndarray) -> np.ndarray:
    """An (x, y) slice on RAS axes as rows of a picture: front up, the patient's right on the left.

    >>> displayed(np.array([[1, 2], [3, 4]])).tolist()
    [[4, 2], [3, 1]]
    """
    return np.ascontiguousarray(array[::-1, ::-1].T)


def outline(mask: np.ndarray) -> list[QLineF]:
    """The edges between inside and outside of a (rows, columns) mask, in pixels."""
    padded = np.pad(mask, 1)
    across = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    down = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
    return [QLineF(x, y, x + 1, y) for y, x in across.tolist()] + [QLineF(x, y, x, y + 1) for y, x in down.tolist()]


def _own(image: QImage) -> QImage:
    return image.copy()  # the picture must outlive the array it was made from
