"""Dialogs for what is to be opened; they begin in the folder of what was opened last."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog, QWidget

from gui.context import AppContext
from gui.scans.opening import SCAN_FILES

FOLDER_KEY = "scans/folder"


def last_folder(settings: QSettings) -> str:
    return str(settings.value(FOLDER_KEY, str(Path.home())))


class Chooser:
    """Asks for scans and has them opened."""

    def __init__(self, context: AppContext, parent: QWidget) -> None:
        self._context = context
        self._parent = parent

    def choose_files(self) -> None:
        start = last_folder(self._context.settings)
        names, _ = QFileDialog.getOpenFileNames(self._parent, "Open scans", start, SCAN_FILES)
        self._open([Path(name) for name in names])

    def choose_folder(self) -> None:
        start = last_folder(self._context.settings)
        name = QFileDialog.getExistingDirectory(self._parent, "Open a DICOM folder", start)
        self._open([Path(name)] if name else [])

    def _open(self, paths: list[Path]) -> None:
        if paths:
            self._context.settings.setValue(FOLDER_KEY, str(paths[0].parent))
            self._context.open_requested.emit(paths)
