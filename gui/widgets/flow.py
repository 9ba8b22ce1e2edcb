"""Widgets side by side in as many equal columns as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget


class Flow(QWidget):
    """`show_widgets` puts up to `most` of them beside each other, in a narrow place half as many, at least one."""

    def __init__(self, most: int, spacing: int, least_px: int = 0, parent: QWidget | None = None) -> None:
        """least_px: what a column has at least, beside what the widgets in it need."""
        super().__init__(parent)
        self._most, self._least_px = most, least_px
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(spacing)
        self._widgets: list[QWidget] = []
        self.columns = 0

    def show_widgets(self, widgets: Sequence[QWidget]) -> None:
        """Put these up in place of those before, which are hidden."""
        for widget in self._widgets:
            self._grid.removeWidget(widget)
            widget.setVisible(widget in widgets)
        self._widgets = list(widgets)
        self.columns = 0
        self._arrange()
        for widget in self._widgets:
            widget.show()

    def _fitting(self) -> int:
        """How many columns there is room for."""
        count = self._most
        while count > 1:
            needed = sum(self._least(self._widgets[place::count]) for place in range(count))
            if needed + self._grid.spacing() * (count - 1) <= self.width():
                break
            count //= 2
        return count

    def _least(self, column: Sequence[QWidget]) -> int:
        """The least width of a column of these."""
        return max([self._least_px, *(max(one.minimumSizeHint().width(), one.minimumWidth()) for one in column)])

    def _arrange(self) -> None:
        columns = self._fitting()
        if columns == self.columns:
            return
        self.columns = columns
        for widget in self._widgets:
            self._grid.removeWidget(widget)
        for place, widget in enumerate(self._widgets):
            self._grid.addWidget(widget, place // columns, place % columns)
        for column in range(self._most):
            self._grid.setColumnStretch(column, int(column < columns))
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        """As wide as a single column: what is asked of the place must not keep it from becoming narrow."""
        widest = self._least(self._widgets)
        return QSize(widest, self._grid.minimumSize().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()
        return done
