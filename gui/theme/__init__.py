"""How the window looks: tokens, the theme in use, one stylesheet, and icons drawn in its colours."""

from gui.theme.theme import MODES, Theme, apply_theme, theme

__all__ = ["MODES", "Theme", "apply_theme", "theme"]
