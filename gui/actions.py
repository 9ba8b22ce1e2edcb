"""Every command of the window, once: its words, its key, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSettings, QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from gui.about import show_about
from gui.scans.choosing import Chooser
from gui.scans.commands import ScanCommands
from gui.theme import MODES, theme
from gui.widgets import button, label, scrolled, section
from gui.widgets.rail import PAGES

THEME_KEY = "appearance/theme"
SCROLL_BAR_PX = 12
MOUSE = (
    ("Wheel, arrow keys", "Next or previous slice (Page keys: ten)"),
    ("Left drag", "Move the cursor in all views"),
    ("Right drag", "Window (across) and level (up and down)"),
    ("Right double click", "Window from the picture (or double click on W and L)"),
    ("Ctrl+wheel, + and −", "Zoom"),
    ("Middle drag, Shift+left drag", "Move the picture"),
    ("Home", "Fit the picture"),
    ("Double click, Enter", "One view alone, and back"),
    ("Tab", "To the next view or button"),
)
MEASURE = (
    ("Left drag", "Draw a line; its length stands beside it"),
    ("Drag an end, click a line", "Change it, select it"),
    ("Delete", "Remove the selected line, else the newest"),
    ("Ctrl+Z, Ctrl+Shift+Z", "Undo, redo"),
    ("Escape, M", "Stop measuring; the lines stay"),
)
THREE_D = (
    ("Left drag, arrow keys", "Turn"),
    ("Wheel", "Nearer and farther"),
    ("Home", "The first view again"),
)
PREDICTION = (
    ("Ctrl+Return, Ctrl+P", "Predict"),
    ("Escape", "Cancel the prediction"),
    ("Ctrl+Z, Ctrl+Shift+Z", "Take the segmentation off, put it back"),
)
PREDICTIONS = (("Enter", "Open the selected prediction"), ("Delete", "Delete the selected predictions"))
RISK = (("Ctrl+S", "Save the report of the answer"),)
STAYS = (
    ("Left, right", "Earlier and later (or drag)"),
    ("+ and −, wheel", "Zoom in time"),
    ("Double click", "The whole stay"),
)
SETTINGS = (("Ctrl+Z, Ctrl+Shift+Z", "Undo, redo a change of the settings"),)
REVIEW = (
    ("T, P", "Show or hide the truth, the prediction"),
    ("N, Shift+N", "Next or previous case"),
    ("D", "To the slice where truth and prediction differ most"),
)


class Actions:
    """The window's QActions, and the menu made of them."""

    def __init__(
        self, window: QWidget, settings: QSettings, chooser: Chooser, scan: ScanCommands, *,
        close_scan: Callable[[], object], open_sample: Callable[[], object], show_page: Callable[[str], object],
    ) -> None:  # fmt: skip
        self._window = window
        self._settings = settings
        self.all: list[QAction] = []
        menu = self.menu = QMenu(window)
        menu.setObjectName("main-menu")
        self.open_files = self._add(menu, "open-files", "Open files…", chooser.choose_files, "Ctrl+O")
        self.open_folder = self._add(menu, "open-folder", "Open a DICOM folder…", chooser.choose_folder, "Ctrl+Shift+O")
        self.open_sample = self._add(menu, "open-sample-scan", "Open the sample scan", open_sample)
        self.close_scan = self._add(menu, "close-front-scan", "Close this scan", close_scan, "Ctrl+W")
        self.save_picture = self._add(
            menu, "save-picture", "Save a picture of the views…", scan.save_picture, "Ctrl+Shift+S"
        )
        self.anonymise = self._add(
            menu, "export-without-patient-data", "Export without patient data…", scan.export_without_patient_data
        )
        menu.addSeparator()
        self.to_template = self._add(
            menu, "register-to-template", "Register to template…", lambda: scan.register(to_template=True)
        )
        self.to_scan = self._add(
            menu, "register-to-scan", "Register to another open scan…", lambda: scan.register(to_template=False)
        )
        self.save_registered = self._add(menu, "save-registered", "Save the registered scan…", scan.save_registered)
        menu.addSeparator()
        view = menu.addMenu("View")
        self.reset = self._add(view, "reset-views", "Fit all views", scan.reset_views, "Ctrl+0")
        self.next = self._add(view, "next-slice", "Next slice", lambda: scan.step_slice(1), "]")
        self.previous = self._add(view, "previous-slice", "Previous slice", lambda: scan.step_slice(-1), "[")
        self.overlay = self._add(view, "toggle-overlay", "Show or hide the segmentation", scan.toggle_overlay, "O")
        self.uncertainty = self._add(
            view, "toggle-uncertainty", "Show or hide the uncertainty", scan.toggle_uncertainty, "U"
        )
        self.measure = self._add(view, "measure", "Measure lengths", scan.toggle_measuring, "M")
        self.remove_lines = self._add(view, "remove-lines", "Remove all measured lines", scan.remove_lines)
        self.auto_window = self._add(view, "auto-window", "Window from the picture", scan.auto_window, "A")
        self.flicker = self._add(view, "flicker-scans", "Flicker between registered scan and target", scan.flicker, "B")
        self.flip = self._add(view, "flip-sides-action", "Swap left and right of the pictures", scan.flip_sides)
        go = menu.addMenu("Go to")
        for number, (key, words) in enumerate(PAGES.items(), start=1):
            self._add(go, f"go-{key}", words, lambda key=key: show_page(key), f"Ctrl+{number}")
        menu.addMenu(self._theme_menu())
        menu.addSeparator()
        self.shortcuts = self._add(menu, "show-shortcuts", "Keys and mouse", self.show_shortcuts, "F1")
        self.shortcuts.setShortcuts([QKeySequence("F1"), QKeySequence("?")])
        self.about = self._add(menu, "about", "About Isocenter", lambda: show_about(window))
        self.quit = self._add(menu, "quit", "Quit", window.close, "Ctrl+Q")

    def _add(
        self,
        menu: QMenu,
        name: str,
        words: str,
        act: Callable[[], object],
        key: str | QKeySequence.StandardKey | None = None,
    ) -> QAction:
        action = QAction(words, self._window)
        action.setObjectName(name)
        if key is not None:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(lambda: act())
        menu.addAction(action)
        self._window.addAction(action)  # its key works whether or not the menu is open
        self.all.append(action)
        return action

    def _theme_menu(self) -> QMenu:
        menu = QMenu("Appearance", self._window)
        group = QActionGroup(menu)
        for mode, words in zip(MODES, ("As the system", "Dark", "Light"), strict=True):
            action = QAction(words, menu, checkable=True)
            action.setObjectName(f"theme-{mode}")
            action.setChecked(theme().mode == mode)
            action.triggered.connect(lambda _=False, mode=mode: self._set_theme(mode))
            group.addAction(action)
            menu.addAction(action)
        return menu

    def _set_theme(self, mode: str) -> None:
        theme().set_mode(mode)
        self._settings.setValue(THEME_KEY, mode)

    def show_shortcuts(self) -> None:
        """The sheet of keys and mouse gestures."""
        dialog = ShortcutSheet(self.all, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()


class ShortcutSheet(QDialog):
    """What the mouse does in a view, and every command that has a key."""

    def __init__(self, actions: list[QAction], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("shortcut-sheet")
        self.setWindowTitle("Keys and mouse")
        keyed = [
            (a.shortcut().toString(QKeySequence.SequenceFormat.NativeText), a.text())
            for a in actions
            if not a.shortcut().isEmpty()
        ]
        inside = QWidget()
        columns = QHBoxLayout(inside)
        columns.setContentsMargins(0, 0, 16, 0)
        columns.setSpacing(40)
        left = (
            ("In a slice view", MOUSE), ("While measuring (M)", MEASURE), ("In the 3D view", THREE_D),
            ("On the Review page", REVIEW),
            ("On the Risk page", RISK), ("On the Stays page", STAYS),
        )  # fmt: skip
        right = (
            ("Commands", keyed), ("Prediction", PREDICTION), ("On the Predict page", PREDICTIONS),
            ("On the Train page", SETTINGS),
        )  # fmt: skip
        for parts in (left, right):
            columns.addLayout(_keys(parts))
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(16)
        column.addWidget(scrolled(inside), 1)
        column.addWidget(button("Close", "close-sheet", self.accept), 0, Qt.AlignmentFlag.AlignRight)
        needed = inside.sizeHint() + QSize(48 + SCROLL_BAR_PX, 100)  # with what is around it
        self.resize(needed.boundedTo(parent.size() - QSize(40, 40)))


def _keys(parts: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> QVBoxLayout:
    """Tables of keys under their heads, all in line."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(3)
    grid.setColumnStretch(1, 1)
    line = 0
    for title, rows in parts:
        head = section(title)
        head.setContentsMargins(0, 12 if line else 0, 0, 4)
        grid.addWidget(head, line, 0, 1, 2)
        for keys, words in rows:
            line += 1
            grid.addWidget(label(keys, "strong"), line, 0)
            grid.addWidget(label(words.rstrip("…")), line, 1)
        line += 1
    column = QVBoxLayout()
    column.addLayout(grid)
    column.addStretch(1)
    return column
