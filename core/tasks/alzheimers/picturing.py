"""The page of slices of a report: each image plain, and below it with what raises and what lowers the score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import IsocenterError
from core.export.pages import DIM, INNER, MARGIN, WARN, Page, percent, signed
from core.tasks.alzheimers.package import RiskPackage
from core.tasks.alzheimers.slices import Slice, Sliced, sliced

Array = np.ndarray[Any, Any]

RAISES, LOWERS = "#d55e00", "#0072b2"  # Okabe and Ito 2008: told apart by all
_RAISES_RGB, _LOWERS_RGB = np.array([1.0, 0.48, 0.0]), np.array([0.2, 0.65, 1.0])  # the same hues on black
FAINTEST = 0.1  # of the scale: less is not shown
THICKEST = 0.85  # opacity at its end
GAP_MM = 1.5
TITLES = {"mri": "MRI", "pet": "PET"}


def pictures(
    page: Page, y: float, prediction: Mapping[str, Any], package: RiskPackage, control: JobControl
) -> float:  # fmt: skip
    """Set the slices of both images below y; an image that cannot be read any more is told of."""
    plan, explanation = package.manifest.plan, prediction["explanation"]
    voxel_cm3 = float(np.prod(plan.spacing_mm)) / 1000
    found: dict[str, Sliced | str] = {}
    maps = {kind: Path(path) for kind, path in explanation["maps"].items()}
    images = prediction.get("images") or {}
    for number, (kind, path) in enumerate(maps.items()):
        control.progress(number / len(maps), f"Drawing the {TITLES[kind]}")
        try:
            found[kind] = sliced(Path(images.get(kind, "")), path, voxel_cm3, control)
        except IsocenterError as error:
            found[kind] = str(error)
    # One strength for both, so that an image that hardly counts shows hardly anything.
    top = max((one.strength for one in found.values() if isinstance(one, Sliced)), default=0.0) or 1.0
    high = 42.0 if len(found) > 1 else 48.0
    for kind, one in found.items():
        control.check()
        y = page.heading(y + 3, TITLES[kind])
        share = explanation["shares"].get(kind, 0.0)
        name = Path(images.get(kind, "")).name
        page.fitted(MARGIN + INNER, y - 7, f"{name}: {signed(share)} to the score", 140, 8, colour=DIM, align="right")
        if isinstance(one, str):
            y = page.paragraph(MARGIN, y, f"Not shown: {one}", INNER, colour=WARN)
            continue
        if not one.sides_known:
            y = page.paragraph(MARGIN, y, "The file does not say where the patient's sides are.", INNER, colour=WARN)
        y -= 3.5
        # Of a single image there is room for larger pictures: coronal and sagittal below the axial ones.
        for cuts in [one.slices] if len(found) > 1 else [one.slices[:-2], one.slices[-2:]]:
            y = _rows(page, y, one, cuts, top, high)
    return _legend(page, y + 4, top)


def _rows(page: Page, y: float, one: Sliced, cuts: list[Slice], top: float, high: float) -> float:
    """The slices plain and, below, with their reasons, all at one scale; returns where they end."""
    room = INNER - GAP_MM * (len(cuts) - 1)
    scale = min(room / sum(cut.wide_mm for cut in cuts), high / max(cut.high_mm for cut in cuts))
    tall = scale * max(cut.high_mm for cut in cuts)
    x = MARGIN
    for cut in cuts:
        wide, own = scale * cut.wide_mm, scale * cut.high_mm
        shade = np.repeat(cut.grey[..., None], 3, axis=2)
        for row, picture in enumerate((shade, coloured(shade, cut.reasons / top))):
            axes = page.axes(x, y + row * (tall + GAP_MM) + (tall - own) / 2, wide, own)
            axes.imshow(picture, aspect="auto", interpolation="bilinear")
            axes.set_facecolor("black")
            axes.axis("off")
            if one.sides_known:
                _letters(axes, cut)
        page.text(x + wide / 2, y + 2 * tall + GAP_MM + 3.6, cut.title, 7, colour=DIM, align="center")
        x += wide + GAP_MM
    return y + 2 * tall + GAP_MM + 6


def _letters(axes: Any, cut: Slice) -> None:
    from matplotlib.patheffects import withStroke

    left, right, upper, lower = cut.letters
    for x, y, letter, across, up in (
        (0.02, 0.5, left, "left", "center"), (0.98, 0.5, right, "right", "center"),
        (0.5, 0.985, upper, "center", "top"), (0.5, 0.015, lower, "center", "bottom"),
    ):  # fmt: skip
        axes.text(
            x, y, letter, transform=axes.transAxes, ha=across, va=up, fontsize=7, color="#f1c75b", weight="bold",
            path_effects=[withStroke(linewidth=1.5, foreground="black")],
        )  # fmt: skip


def coloured(shade: Array, strength: Array) -> Array:
    """shade (..., 3) with the colours of strengths from -1 (lowers) to 1 (raises) over it."""
    size = np.clip(np.abs(strength), 0, 1)[..., None]
    cover = THICKEST * np.clip((size - FAINTEST) / (1 - FAINTEST), 0, 1) ** 0.7
    colour = np.where(strength[..., None] > 0, _RAISES_RGB, _LOWERS_RGB)
    return np.asarray(np.clip(shade * (1 - cover) + colour * cover, 0, 1))


def _legend(page: Page, y: float, top: float) -> float:
    """The colour bar with its unit, and how the pictures are to be read."""
    wide, x = 62.0, MARGIN
    steps = np.linspace(-1, 1, 241)
    bar = coloured(np.full((1, len(steps), 3), 0.35), steps[None])
    axes = page.axes(x, y, wide, 4)
    axes.imshow(bar, aspect="auto", interpolation="nearest")
    axes.axis("off")
    for share, words in ((0.0, f"−{top:.2g}"), (0.5, "0"), (1.0, f"+{top:.2g}")):
        align = {0.0: "left", 0.5: "center", 1.0: "right"}[share]
        page.text(x + share * wide, y + 7.4, words, 7.5, align=align)
    page.text(x, y - 1.2, "lowers", 7.5, bold=True, colour=LOWERS)
    page.text(x + wide, y - 1.2, "raises", 7.5, bold=True, colour=RAISES, align="right")
    page.text(x + wide / 2, y - 1.2, "change of the score per cm³", 7.5, colour=DIM, align="center")
    words = (
        "The patient's right (R) is on the left of axial and coronal slices; anterior (A) is on the left of sagittal"
        " ones. Slices are where the map is strongest; their places are in the scan's own millimetres. One colour"
        f" scale for all pictures; less than {percent(FAINTEST)} of its end is not shown. The map is smoothed, and as"
        " coarse as the network's grid: it says where the model looked, and is no measure of disease."
    )
    return page.paragraph(x + wide + 6, y - 1, words, INNER - wide - 6, 7.5, colour=DIM)
