"""Colours, sizes and spaces. The only place where a colour is written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """The colours of one theme, by role."""

    bg: str  # behind everything
    panel: str
    raised: str  # cards, fields
    hover: str
    line: str  # hairlines
    text: str
    dim: str
    faint: str  # large or incidental text only
    accent: str  # the one main action, what is selected
    on_accent: str
    accent_ground: str
    ok: str
    warn: str
    bad: str
    view_ground: str = "#000000"  # pictures stand on black in both themes
    view_text: str = "#e7ebf0"
    view_dim: str = "#98a3b0"
    view_line: str = "#2a313b"
    crosshair: str = "#7c8cff"
    letters: str = "#f1c75b"
    measure: str = "#6fe3d2"  # measured lengths
    heat_low: str = "#ffe066"  # an uncertainty map, from little to much
    heat_high: str = "#ff2e88"
    skin: str = "#c9c2b8"  # the surface of a scan in 3D
    scan_swatch: str = "#b8c0ca"


DARK = Tokens(
    bg="#0f1216", panel="#161a20", raised="#1d232b", hover="#262d37", line="#2a313b",
    text="#e7ebf0", dim="#98a3b0", faint="#6b7683",
    accent="#7c8cff", on_accent="#0f1216", accent_ground="#262c4d",
    ok="#3fb68b", warn="#e0a83a", bad="#f0717a",
)  # fmt: skip

# The sketches' ok, warn and faint fall below 4.5:1 on light ground; these are the same hues, darker.
LIGHT = Tokens(
    bg="#eef0f3", panel="#ffffff", raised="#f5f6f8", hover="#e8ebef", line="#d9dee5",
    text="#1b2128", dim="#566170", faint="#78838f",
    accent="#4a5be0", on_accent="#ffffff", accent_ground="#e6e9ff",
    ok="#187551", warn="#8a5d06", bad="#b8323e",
)  # fmt: skip

# Okabe and Ito (2008), in the order that keeps neighbours apart; then hues picked between them.
STRUCTURES = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    "#8C564B", "#17BECF", "#BCBD22", "#9467BD", "#AEC7E8", "#FFBB78", "#98DF8A",
)  # fmt: skip

BODY_PX = 13
SMALL_PX = 12
SECTION_PX = 11
TITLE_PX = 15
HEADLINE_PX = 20
FIGURE_PX = 22
GRID = 4  # every space is a multiple of it
RADIUS = 7
ICON_PX = 20
FONTS = ("Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans", "Cantarell", "Ubuntu", "DejaVu Sans")
