"""How large the parts of each page were when the window was closed last."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QSplitter, QWidget

KEY = "window/splitters/{page}-{number}"


class RememberedSizes:
    """Of the splitters that a page has when it is made."""

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings
        self._splitters: dict[str, QSplitter] = {}

    def restore(self, page: str, widget: QWidget) -> None:
        """Give a new page the sizes that it had."""
        for number, splitter in enumerate(widget.findChildren(QSplitter)):
            key = KEY.format(page=page, number=number)
            self._splitters[key] = splitter
            state = self._settings.value(key)
            if isinstance(state, QByteArray):
                splitter.restoreState(state)

    def save(self) -> None:
        for key, splitter in self._splitters.items():
            self._settings.setValue(key, splitter.saveState())
