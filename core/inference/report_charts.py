"""Line charts of reports, as SVG within the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

COLOURS = ("#4a5be0", "#d55e00", "#78838f")  # of the lines, in their order
WIDE, HIGH = 480, 330
LEFT, TOP, BOTTOM, RIGHT = 44, 12, 34, 12
STEPS = 5  # of an axis
Span = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line of a chart. spread: (low, high) of each point; name: in the legend, where it has one."""

    x: Sequence[float]
    y: Sequence[float]
    name: str = ""
    kind: Literal["line", "dashed", "points"] = "line"
    spread: Sequence[Span] = ()


def chart(
    title: str, x_title: str, y_title: str, lines: Sequence[Line], *, x: Span = (0.0, 1.0), y: Span = (0.0, 1.0)
) -> str:
    """A figure with lines, axes and a legend. x, y: the ranges that are shown; what lies outside is at their edge."""
    parts = _axes(x_title, y_title, x, y)
    for number, line in enumerate(lines):
        parts += _drawn(line, COLOURS[number % len(COLOURS)], x, y)
    legend = " · ".join(
        f"<span style='color:{COLOURS[number % len(COLOURS)]}'>■</span> {escape(line.name)}"
        for number, line in enumerate(lines)
        if line.name
    )
    return (
        f"<figure class=chart><svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDE} {HIGH}' width='{WIDE}'"
        f" height='{HIGH}' role='img' font-size='11' fill='#566170' aria-label='{escape(title, quote=True)}'>"
        f"{''.join(parts)}</svg><figcaption><b>{escape(title)}</b><br>{legend}</figcaption></figure>"
    )


def _place(at_x: float, at_y: float, x: Span, y: Span) -> tuple[float, float]:
    across = (min(max(at_x, x[0]), x[1]) - x[0]) / ((x[1] - x[0]) or 1)
    up = (min(max(at_y, y[0]), y[1]) - y[0]) / ((y[1] - y[0]) or 1)
    return (
        round(LEFT + across * (WIDE - LEFT - RIGHT), 1),
        round(TOP + (1 - up) * (HIGH - TOP - BOTTOM), 1),
    )  # fmt: skip


def _axes(x_title: str, y_title: str, x: Span, y: Span) -> list[str]:
    width, height = WIDE - LEFT - RIGHT, HIGH - TOP - BOTTOM
    parts = []
    for step in range(STEPS + 1):
        value = y[0] + step / STEPS * (y[1] - y[0])
        left, at = _place(x[0], value, x, y)
        parts.append(
            f"<line x1='{left}' x2='{left + width}' y1='{at}' y2='{at}' stroke='#e8ebef' />"
            f"<text x='{left - 5}' y='{at + 4}' text-anchor='end'>{_tick(value, y)}</text>"
        )
        value = x[0] + step / STEPS * (x[1] - x[0])
        at, bottom = _place(value, y[0], x, y)
        parts.append(f"<text x='{at}' y='{bottom + 14}' text-anchor='middle'>{_tick(value, x)}</text>")
    middle = TOP + height / 2
    return [
        *parts,
        f"<rect x='{LEFT}' y='{TOP}' width='{width}' height='{height}' fill='none' stroke='#d9dee5' />",
        f"<text x='{LEFT + width / 2}' y='{HIGH - 4}' text-anchor='middle'>{escape(x_title)}</text>",
        f"<text x='11' y='{middle}' text-anchor='middle' transform='rotate(-90 11 {middle})'>{escape(y_title)}</text>",
    ]


def _drawn(line: Line, colour: str, x: Span, y: Span) -> list[str]:
    points = [_place(at_x, at_y, x, y) for at_x, at_y in zip(line.x, line.y, strict=True)]
    if line.kind == "points":
        style = f"r='3.5' fill='{colour}' fill-opacity='0.75'"
        parts = [f"<circle cx='{left}' cy='{top}' {style} />" for left, top in points]
    else:
        dashes = " stroke-dasharray='5 4'" if line.kind == "dashed" else ""
        path = " ".join(f"{left},{top}" for left, top in points)
        parts = [f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'{dashes} />"]
    for at_x, (low, high) in zip(line.x, line.spread, strict=False):
        (left, bottom), (_, top) = _place(at_x, low, x, y), _place(at_x, high, x, y)
        parts.append(f"<line x1='{left}' x2='{left}' y1='{bottom}' y2='{top}' stroke='{colour}' />")
    return parts


def _tick(value: float, span: Span) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if span[1] - span[0] <= 2 else f"{value:.4g}"
