"""Colours that can be read, and a theme that follows."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from core.paths import RESOURCES
from gui.theme import apply_theme, drawing, theme
from gui.theme.structures import structure_colours
from gui.theme.tokens import DARK, LIGHT, Tokens
from gui.widgets import tool_button

ENOUGH = 4.5


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = (QColor(colour).redF(), QColor(colour).greenF(), QColor(colour).blueF())
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tokens", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("role", ["text", "dim", "ok", "warn", "bad", "accent"])
@pytest.mark.parametrize("ground", ["bg", "panel", "raised"])
def test_text_stands_out_from_every_ground(tokens: Tokens, role: str, ground: str):
    assert contrast(getattr(tokens, role), getattr(tokens, ground)) >= ENOUGH


@pytest.mark.parametrize("tokens", [DARK, LIGHT], ids=["dark", "light"])
def test_text_on_the_accent_and_on_pictures_stands_out(tokens: Tokens):
    assert contrast(tokens.on_accent, tokens.accent) >= ENOUGH
    assert contrast(tokens.accent, tokens.accent_ground) >= ENOUGH
    for role in ("view_text", "view_dim", "letters"):
        assert contrast(getattr(tokens, role), tokens.view_ground) >= ENOUGH


def test_the_users_choice_rules_over_the_system(qapp: QApplication):
    apply_theme(qapp, "light")
    assert not theme().is_dark
    assert theme().color("panel") == QColor(LIGHT.panel)
    theme().set_mode("dark")
    assert theme().is_dark
    theme().set_mode("nonsense")
    assert theme().mode == "system"


def test_icons_are_drawn_anew_in_the_other_theme(qtbot: object, dark: None):
    button = tool_button("close", "close", "Close")
    qtbot.addWidget(button)

    def colours() -> set[str]:
        image = button.icon().pixmap(20, 20).toImage()
        pixels = (image.pixelColor(x, y) for x in range(20) for y in range(20))
        return {colour.name() for colour in pixels if colour.alpha() == 255}

    before = colours()
    theme().set_mode("light")
    assert before
    assert colours() != before


@pytest.mark.parametrize("path", sorted((RESOURCES / "icons").glob("*.svg")), ids=lambda path: path.stem)
def test_every_icon_draws_something(qapp: QApplication, path: object):
    image = drawing.pixmap(path.stem, DARK.text, 20).toImage()
    assert any(image.pixelColor(x, y).alpha() > 100 for x in range(20) for y in range(20))


def test_left_and_right_of_a_structure_share_its_colour_and_others_do_not():
    names = ["Anterior, left", "Posterior, left", "Anterior, right", "Posterior, right", "Tumour"]
    colours = structure_colours({"label": n, "name": name} for n, name in enumerate(names, 1))
    assert colours[1] == colours[3] != colours[2] == colours[4]
    assert len({colour.name() for colour in colours.values()}) == 3


def test_many_structures_have_different_colours():
    colours = structure_colours({"label": n, "name": f"part {n}"} for n in range(1, 60))
    assert len({colour.name() for colour in colours.values()}) == 59
