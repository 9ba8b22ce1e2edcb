"""A4 pages for a PDF, set in millimetres from the top left corner; no window and no global state of the plotter's."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from core import __version__

WIDTH, HEIGHT, MARGIN = 210.0, 297.0, 16.0
INNER = WIDTH - 2 * MARGIN
INK, DIM, LINE, GROUND = "#1b2128", "#566170", "#d9dee5", "#f0f2f5"
ACCENT, ACCENT_GROUND = "#4a5be0", "#dfe3ff"
WARN, WARN_GROUND = "#7a5205", "#fdf1d8"
POINT_MM = 25.4 / 72
LEADING = 1.35  # from one line to the next, in sizes of the type
# Whatever stands in a name is shown as it is: no formulas. Type that can be searched and copied.
STYLE = {
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "text.hinting": "no_hinting",
}


class Page:
    """One page; x and y in mm, y downwards; sizes of type in points."""

    def __init__(self) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(WIDTH / 25.4, HEIGHT / 25.4))
        # All that is no picture is drawn on one canvas in mm.
        self._sheet = self.axes(0, 0, WIDTH, HEIGHT)
        self._sheet.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self._sheet.axis("off")

    @property
    def words(self) -> list[str]:
        """All that is written on it, in the order of its setting."""
        return [text.get_text() for text in self._sheet.texts]

    def axes(self, x: float, y: float, wide: float, high: float) -> Any:
        """A place for a picture or chart; its top left corner is given."""
        return self.figure.add_axes((x / WIDTH, 1 - (y + high) / HEIGHT, wide / WIDTH, high / HEIGHT))

    def text(
        self, x: float, y: float, words: str, size: float = 8.5, *, bold: bool = False, colour: str = INK,
        align: str = "left", middle: bool = False,
    ) -> None:  # fmt: skip
        """One line, its baseline at y, or its middle."""
        self._sheet.text(
            x, y, plain(words), fontsize=size, color=colour, ha=align, va="center" if middle else "baseline",
            weight="bold" if bold else "normal",
        )  # fmt: skip

    def fitted(self, x: float, y: float, words: str, wide: float, size: float = 8.5, **look: Any) -> None:
        """One line that is cut short where it does not fit."""
        self.text(x, y, fit(words, wide, size, bold=bool(look.get("bold"))), size, **look)

    def paragraph(
        self, x: float, y: float, words: str, wide: float, size: float = 8.5, *, most: int = 100, **look: Any
    ) -> float:
        """Lines that begin with the baseline y; returns the baseline that follows. most: lines, the last cut short."""
        lines = wrapped(words, wide, size, bold=bool(look.get("bold")))
        if len(lines) > most:
            lines = [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), wide, size)]
        for line in lines:
            self.text(x, y, line, size, **look)
            y += size * LEADING * POINT_MM
        return y

    def heading(self, y: float, words: str) -> float:
        """A section's title with a line below it; returns the baseline of what follows."""
        self.text(MARGIN, y, words, 10, bold=True)
        self.line(MARGIN, y + 1.8, WIDTH - MARGIN, y + 1.8)
        return y + 7

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: str = LINE, wide: float = 0.6) -> None:
        self._sheet.plot([x, to_x], [y, to_y], color=colour, linewidth=wide, solid_capstyle="butt")

    def box(self, x: float, y: float, wide: float, high: float, colour: str, round_mm: float = 0.0) -> None:
        from matplotlib.patches import FancyBboxPatch

        inset = f"round,pad=0,rounding_size={min(round_mm, wide / 2, high / 2)}" if round_mm else "square,pad=0"
        self._sheet.add_patch(FancyBboxPatch((x, y), wide, high, boxstyle=inset, facecolor=colour, linewidth=0))

    def area(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        from matplotlib.patches import Polygon

        self._sheet.add_patch(Polygon(list(points), closed=True, facecolor=colour, linewidth=0))

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        from matplotlib.patches import Circle

        self._sheet.add_patch(Circle((x, y), radius, facecolor=colour, edgecolor="white", linewidth=1.2, zorder=5))

    def note(self, y: float, words: str, *, warn: bool) -> float:
        """A line of warning in a box over the whole width; returns where the next one begins."""
        self.box(MARGIN, y, INNER, 7, WARN_GROUND if warn else GROUND, 1.5)
        self.text(MARGIN + 3, y + 3.6, words, 8.5, bold=True, colour=WARN if warn else INK, middle=True)
        return y + 8.5


def style() -> Any:
    """The plotter's settings for the length of a block, in which pages are made and written."""
    import matplotlib

    return matplotlib.rc_context(STYLE)


def as_pdf(pages: Sequence[Page], title: str) -> bytes:
    """The file; besides its title it says only which program made it, not when, nor for whom."""
    from matplotlib.backends.backend_pdf import PdfPages

    held = io.BytesIO()
    told = {"Title": title, "Creator": f"Isocenter {__version__}", "Producer": None, "CreationDate": None}
    with _any_script(), PdfPages(held, metadata=told) as file:
        for page in pages:
            file.savefig(page.figure, dpi=300)
    return held.getvalue()


def as_png(page: Page, dpi: int = 110) -> bytes:
    """A page as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    held = io.BytesIO()
    page.figure.set_dpi(dpi)
    with _any_script():
        FigureCanvasAgg(page.figure).print_png(held)
    return held.getvalue()


@contextmanager
def _any_script() -> Iterator[None]:
    """A name may be in a script that the type has not: boxes stand for it, and nobody is warned."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def percent(share: float) -> str:
    """
    >>> percent(0.9)
    '90 %'
    """
    return f"{100 * share:.0f} %"


def signed(value: float) -> str:
    """With a sign that can be seen.

    >>> signed(-0.0161)
    '−0.016'
    """
    return f"{value:+.3f}".replace("-", "−")


def plain(words: str) -> str:
    """Without line breaks and other signs that cannot be set.

    >>> plain("a\\n b\\x00")
    'a b'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def width_mm(words: str, size: float, *, bold: bool = False) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    look = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    with _any_script():
        wide: float = text_to_path.get_text_width_height_descent(words, look, ismath=False)[0]
    return wide * POINT_MM


def fit(words: str, wide: float, size: float, *, bold: bool = False) -> str:
    """One line no wider than so many mm; of a longer one the beginning and the end."""
    words = plain(words)[:1000]
    if width_mm(words, size, bold=bold) <= wide:
        return words
    kept = len(words)
    while kept > 4:
        kept -= max(kept // 20, 1)
        short = f"{words[: kept - kept // 3]}…{words[len(words) - kept // 3 :]}"
        if width_mm(short, size, bold=bold) <= wide:
            return short
    return words[:1]


def wrapped(words: str, wide: float, size: float, *, bold: bool = False) -> list[str]:
    """Lines no wider than so many mm, broken between words."""
    lines: list[str] = []
    line = ""
    for word in plain(words).split():
        longer = f"{line} {word}".strip()
        if line and width_mm(longer, size, bold=bold) > wide:
            lines.append(line)
            line = fit(word, wide, size, bold=bold)
        else:
            line = longer if line else fit(word, wide, size, bold=bold)
    return [*lines, line] if line else lines
