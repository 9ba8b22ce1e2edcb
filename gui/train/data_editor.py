"""Choosing the data that is trained on: typed, asked for, dropped, or one of the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QMenu

from gui.context import AppContext
from gui.theme import icons
from gui.train.data_kinds import KINDS
from gui.train.fields import PathEditor

MOST_RECENT = 8


class DataEditor(PathEditor):
    """A folder or file, as the kind of data has it."""

    wide = True

    def __init__(self, context: AppContext, data_kind: str) -> None:
        self.kind = KINDS[data_kind]
        super().__init__(optional=True, placeholder=self.kind.hint, folder=self.kind.folders)
        self._settings = context.settings
        self._recent_key = f"train/recent/{data_kind}"
        self.setAcceptDrops(True)
        self.line.setAcceptDrops(False)  # else the line would take a dropped folder as text
        menu = QMenu(self.button)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        self.button.setMenu(menu)
        self.button.setText("")
        icons.bind(self.button, "folder")
        self.button.setProperty("role", "menu")
        self.button.setFixedWidth(36)
        self.button.setStyleSheet(
            "QPushButton { padding: 4px; } QPushButton::menu-indicator { image: none; width: 0; }"
        )

    def set_value(self, value: Any) -> None:
        super().set_value(value)
        self.line.setToolTip(self.line.text() or self.line.accessibleDescription())

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        if self.kind.folders:
            menu.addAction("Choose a folder…", self._ask_folder)
        if self.kind.tables:
            menu.addAction("Choose a table…", self._ask_file)
        recent = self.recent()
        if recent:
            menu.addSeparator()
        for place in recent:
            menu.addAction(place.replace("&", "&&"), lambda p=place: self.choose(Path(p)))

    def recent(self) -> list[str]:
        stored = self._settings.value(self._recent_key, [])
        return [stored] if isinstance(stored, str) else [str(place) for place in stored or []]

    def remember(self, place: str) -> None:
        self._settings.setValue(self._recent_key, [place, *(p for p in self.recent() if p != place)][:MOST_RECENT])

    def choose(self, place: Path) -> None:
        self.set_value(str(place))
        self.changed.emit()

    def ask(self) -> None:
        """Ask for the usual thing of this kind."""
        (self._ask_folder if self.kind.folders else self._ask_file)()

    def _ask_folder(self) -> None:
        self._take(QFileDialog.getExistingDirectory(self, f"Choose {self.kind.what}", self.line.text()))

    def _ask_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, f"Choose {self.kind.what}", self.line.text(), self.kind.filter)
        self._take(chosen)

    def _take(self, chosen: str) -> None:
        if chosen:
            self.choose(Path(chosen))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        if self._dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        place = self._dropped(event)
        if place is not None:
            self.choose(place)
            event.acceptProposedAction()

    def _dropped(self, event: Any) -> Path | None:
        urls = event.mimeData().urls()
        path = Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
        return path if path is not None and self.kind.takes(path) else None
