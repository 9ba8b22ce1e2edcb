"""The theme in use: follows the system, or what the user chose; tells when it changed."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from PySide6.QtCore import QObject, Qt, QTemporaryDir, Signal
from PySide6.QtGui import QAction, QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QAbstractButton, QApplication

from gui.theme import drawing, tokens
from gui.theme.stylesheet import stylesheet
from gui.theme.tokens import DARK, LIGHT, Tokens

MODES = ("system", "dark", "light")


class Theme(QObject):
    """One per program; ask `theme()` for it."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mode = "system"
        self._images = QTemporaryDir()

    @property
    def is_dark(self) -> bool:
        if self.mode != "system":
            return self.mode == "dark"
        # An unknown scheme gets the dark one: it is the calmer beside black pictures.
        return QGuiApplication.styleHints().colorScheme() != Qt.ColorScheme.Light

    @property
    def tokens(self) -> Tokens:
        return DARK if self.is_dark else LIGHT

    def color(self, role: str) -> QColor:
        """The colour of a role named in `tokens.Tokens`."""
        return QColor(getattr(self.tokens, role))

    def set_mode(self, mode: str) -> None:
        """Follow the system, or stay "dark" or "light"."""
        if mode not in MODES:
            mode = "system"
        self.mode = mode
        schemes = {"dark": Qt.ColorScheme.Dark, "light": Qt.ColorScheme.Light}
        hints = QGuiApplication.styleHints()
        hints.setColorScheme(schemes.get(mode, Qt.ColorScheme.Unknown))  # native frames and dialogs follow
        self.refresh()

    def refresh(self) -> None:
        """Dress the application anew."""
        app = cast(QApplication, QApplication.instance())
        app.setPalette(_palette(self.tokens))
        app.setStyleSheet(stylesheet(self.tokens, self._pictures()))
        for widget in app.allWidgets():
            if isinstance(widget, QAbstractButton):
                drawing.redraw(widget, self.tokens)
        for window in app.topLevelWidgets():
            for action in window.findChildren(QAction):
                drawing.redraw(action, self.tokens)
        self.changed.emit()

    def _pictures(self) -> dict[str, str]:
        """Small recoloured pictures that a stylesheet can only take as files."""
        wanted = {
            "chevron": ("chevron-down", "dim"),
            "chevron_primary": ("chevron-down", "on_accent"),
            "chevron_up": ("chevron-up", "dim"),
            "tick": ("tick", "on_accent"),
            "tick_menu": ("tick", "accent"),
        }
        folder = Path(self._images.path())
        paths = {}
        for key, (name, role) in wanted.items():
            path = folder / f"{name}-{role}-{'dark' if self.is_dark else 'light'}.svg"
            if not path.exists():
                path.write_text(drawing.svg(name, getattr(self.tokens, role)), encoding="utf-8")
            paths[key] = path.as_posix()
        return paths


_theme: Theme | None = None


def theme() -> Theme:
    global _theme
    if _theme is None:
        _theme = Theme()
    return _theme


def apply_theme(app: QApplication, mode: str = "system") -> None:
    """Dress the application and keep following the system from here on."""
    app.setStyle("Fusion")
    app.setFont(body_font())
    current = theme()
    hints = app.styleHints()
    current.set_mode(mode)
    hints.colorSchemeChanged.connect(current.refresh, Qt.ConnectionType.UniqueConnection)


def body_font() -> QFont:
    families = set(QFontDatabase.families())
    font = QFont()
    chosen = next((name for name in tokens.FONTS if name in families), None)
    if chosen:
        font.setFamily(chosen)
    font.setPixelSize(tokens.BODY_PX)
    return font


def _palette(colours: Tokens) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: colours.bg,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Base: colours.raised,
        QPalette.ColorRole.AlternateBase: colours.panel,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.Button: colours.raised,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.BrightText: colours.bad,
        QPalette.ColorRole.ToolTipBase: colours.raised,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.dim,
        QPalette.ColorRole.Link: colours.accent,
        QPalette.ColorRole.Highlight: colours.accent,
        QPalette.ColorRole.HighlightedText: colours.on_accent,
        QPalette.ColorRole.Accent: colours.accent,
        QPalette.ColorRole.Mid: colours.line,
        QPalette.ColorRole.Dark: colours.line,
        QPalette.ColorRole.Light: colours.hover,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.faint))
    return palette
