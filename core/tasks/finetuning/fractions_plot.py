"""The curve of label shares as a picture (SVG): one panel a figure, one line a method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

PANELS = (("test/auroc", "AUROC"), ("test/auprc", "Average precision"))
# Dark enough for white ground, told apart by colour-blind eyes (Okabe & Ito), and by their marks.
LINES = {
    "pretrained": ("Pretrained encoder", "#0072b2", "circle"), "scratch": ("From scratch", "#d55e00", "square"),
    "boosting": ("Gradient boosting", "#666666", "triangle"),
}  # fmt: skip
WIDTH, HEIGHT, PANEL_W, PANEL_H, LEFT, TOP = 900, 400, 360, 260, 66, 58


def drawn(found: Mapping[str, Any]) -> str:
    """The means over seeds as an SVG picture; where there are several seeds, their range stands behind the line."""
    title = f"{found['outcome'].replace('_', ' ')} by the share of labels"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (key, title) in enumerate(PANELS):
        parts += _panel(found, key, title, LEFT + number * (PANEL_W + 80))
    for number, (method, (name, colour, mark)) in enumerate(LINES.items()):
        if any(mean["method"] == method for mean in found["means"]):
            x = LEFT + number * 190
            parts.append(_mark(mark, x, HEIGHT - 16, colour) + f'<text x="{x + 12}" y="{HEIGHT - 12}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(found: Mapping[str, Any], key: str, title: str, left: float) -> list[str]:
    means = [mean for mean in found["means"] if key in mean]
    if not means:
        return []
    values = [point[key] for point in found["points"] if key in point]
    step = 0.05
    low, high = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    shares = sorted({mean["share"] for mean in means})
    first, last = math.log(shares[0]), math.log(shares[-1])

    def x_of(share: float) -> float:
        return left + 14 + (math.log(share) - first) / ((last - first) or 1) * (PANEL_W - 28)

    def y_of(value: float) -> float:
        return TOP + PANEL_H - (value - low) / ((high - low) or 1) * PANEL_H

    labels = {mean["share"]: mean["labels"] for mean in means}
    parts = [f'<text x="{left}" y="{TOP - 12}">{title}</text>']
    for n in range(round((high - low) / step) + 1):
        y = y_of(low + n * step)
        parts.append(f'<line x1="{left}" x2="{left + PANEL_W}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{low + n * step:.2f}</text>')
    for share in shares:
        x = x_of(share)
        parts.append(f'<text x="{x:.1f}" y="{TOP + PANEL_H + 18}" text-anchor="middle">{100 * share:g} %</text>')
        parts.append(
            f'<text x="{x:.1f}" y="{TOP + PANEL_H + 33}" text-anchor="middle" font-size="11" fill="#666666">'
            f"{labels[share]:,}</text>"
        )
    for method, (_, colour, mark) in LINES.items():
        mine = sorted((mean for mean in means if mean["method"] == method), key=lambda mean: mean["share"])
        line = [(x_of(mean["share"]), y_of(mean[key])) for mean in mine]
        for mean in mine:
            each = [
                p[key] for p in found["points"] if (p["method"], p["share"]) == (method, mean["share"]) and key in p
            ]
            if len(each) > 1:
                x = x_of(mean["share"])
                parts.append(
                    f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y_of(min(each)):.1f}" y2="{y_of(max(each)):.1f}"'
                    f' stroke="{colour}" stroke-width="4" opacity="0.35"/>'
                )
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [_mark(mark, x, y, colour) for x, y in line]
    return parts


def _mark(kind: str, x: float, y: float, colour: str) -> str:
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'
    corners: Sequence[tuple[float, float]] = (
        ((-4, -4), (4, -4), (4, 4), (-4, 4)) if kind == "square" else ((0, -5.5), (5, 4), (-5, 4))
    )
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'
