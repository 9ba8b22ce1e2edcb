"""The window out of the way while a model trains on: behind a tray icon, or minimised where there is no tray."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QApplication, QMenu, QSystemTrayIcon, QWidget

WORDS = "Training goes on. The program ends when it is done, unless you open the window again."


class Away(QObject):
    """There is always a way back: the icon, its menu, or the task bar."""

    returned = Signal()  # the user opened the window again
    stop_requested = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._tray: QSystemTrayIcon | None = None
        self.is_away = False
        window.installEventFilter(self)

    def go(self) -> None:
        """Take the window out of the way."""
        self.is_away = True
        if self.tray_available():
            self._show_tray()
            self._window.hide()
        else:
            self._window.showMinimized()

    @staticmethod
    def tray_available() -> bool:
        return QSystemTrayIcon.isSystemTrayAvailable()

    def come_back(self) -> None:
        """Show the window as it was."""
        self._window.setWindowState(self._window.windowState() & ~Qt.WindowState.WindowMinimized)
        self._window.show()
        self._window.raise_()
        self._window.activateWindow()
        self._back()

    def end(self) -> None:
        """Nothing goes on any more."""
        self.is_away = False
        if self._tray is not None:
            self._tray.hide()

    def close(self) -> None:
        """What the window waited for is done. Qt ends a program with its last window, but not behind the tray."""
        self.end()
        if self._window.close():
            QApplication.quit()

    def _back(self) -> None:
        if self.is_away:
            self.end()
            self.returned.emit()

    def _show_tray(self) -> None:
        if self._tray is None:
            menu = QMenu(self._window)
            menu.addAction("Open the window", self.come_back)
            menu.addAction("Stop and keep the checkpoints", self.stop_requested.emit)
            self._tray = QSystemTrayIcon(self._window.windowIcon(), self)
            self._tray.setToolTip("Isocenter: a model is being trained")
            self._tray.setContextMenu(menu)
            self._tray.activated.connect(self._tray_used)
        self._tray.show()
        self._tray.showMessage("Isocenter", WORDS, self._window.windowIcon())

    def _tray_used(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason != QSystemTrayIcon.ActivationReason.Context:
            self.come_back()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        changed = event.type() == QEvent.Type.WindowStateChange
        if self.is_away and changed and not self._window.isMinimized() and self._window.isVisible():
            self._back()
        return super().eventFilter(watched, event)
