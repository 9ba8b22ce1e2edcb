"""The bar on top: what is open, and the tools of the page in front."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from gui.widgets.labels import ElidedLabel, label


class TopBar(QFrame):
    """Hosts the widgets that pages offer; each page's are shown while it is in front."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("top-bar")
        self.setProperty("role", "bar")
        self.setFixedHeight(44)
        self._what = ElidedLabel("", "dim", mode=Qt.TextElideMode.ElideMiddle)
        self._what.setObjectName("open-name")
        self._hosts: dict[str, QWidget] = {}
        row = self._row = QHBoxLayout(self)  # no stack, which would keep the room of the widest page's tools
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(12)
        row.addWidget(label("Isocenter", "strong"))
        row.addWidget(self._what, 1)

    def set_what(self, text: str) -> None:
        self._what.setText(text)

    def offer(self, page: str, widgets: Sequence[QWidget]) -> None:
        """Take a page's widgets; once for each page."""
        if page in self._hosts or not widgets:
            return
        host = QWidget()
        row = QHBoxLayout(host)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addStretch(1)
        for widget in widgets:
            row.addWidget(widget)
        host.hide()
        self._hosts[page] = host
        self._row.addWidget(host)

    def show_tools(self, page: str) -> None:
        for key, host in self._hosts.items():
            host.setVisible(key == page)
