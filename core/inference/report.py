"""A report of an evaluation: one HTML file with everything in it, for readers without the program.

It holds figures, cases' names and small pictures; no header field of a scan is read into it.
"""

from __future__ import annotations

import base64
import struct
import time
import zlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.catalog.evaluations import CaseFiles, EvaluationRow, evaluation
from core.control import JobControl
from core.errors import IsocenterError
from core.imaging.geometry import to_canonical
from core.imaging.reader import read
from core.inference import report_outcomes
from core.inference.disagreement import worst_place
from core.inference.evaluate import trained_on_text, worst_first
from core.inference.kinds import find_model
from core.inference.report_page import head_row, target_of, when, write_page
from core.metrics.segmentation import metrics

Array = np.ndarray[Any, Any]

PICTURES = 6
PICTURE_PX = 260
TRUTH_RGB, PREDICTION_RGB = (64, 224, 208), (255, 140, 0)
MARGIN_VOXELS = 12


OUT_OF_FOLD = "each case by the run of a cross-validation that did not see it"


def write_report(id: int, out: Path, control: JobControl | None = None) -> Path:
    """Write the report of a recorded evaluation to `out`, or into it where it is a folder. Returns the file.

    Raises CatalogError for an unknown evaluation, IsocenterError where the file cannot be written. A case whose files
    are gone is told of without its picture.
    """
    control = control or JobControl()
    with Catalog() as catalog:
        row = evaluation(catalog, id)
    target = target_of(out, f"evaluation-{row.id}.html")
    what = f"the {row.split} part of {row.data.name}" if row.split else f"all cases of {row.data.name}"
    if "labels" not in row.result:  # outcomes, with no masks to look at
        return write_outcomes(row.result, row.model, what, target, row.time, card=_card(row))
    control.progress(0.0, "Drawing the worst cases")
    return _structures(row, what, target, control)


def write_outcomes(
    result: Mapping[str, Any], model: str, what: str, out: Path, at: float | None = None, *, card: str = ""
) -> Path:
    """Write the report of an evaluation or a cross-validation of outcomes. what: the data, in words."""
    cases = int(result.get("cases_measured", len(result["cases"])))
    said = f"Evaluated on {what}: {cases:,} cases, {when(time.time() if at is None else at)}."
    shown = [*report_outcomes.parts_of(result), card]
    return write_page(target_of(out, "report.html"), model, said, report_outcomes.warnings_of(result), shown)


def _structures(row: EvaluationRow, what: str, target: Path, control: JobControl) -> Path:
    result, cases = row.result, worst_first(row.cases)
    missed = sum(bool(case["missed"]) for case in cases)
    warnings = [trained_on_text(result)] if result.get("trained_on") else []
    if missed:
        warnings.append(f"A structure was missed entirely in {missed} of {len(cases)} cases; it counts with its worst.")
    parts = [
        "<h2>Figures</h2>", _figures(row),
        "<p class=dim>Mean over cases with its 95 % interval (bootstrap over cases). Surfaces agree within"
        f" {result['tolerance_mm']:g} mm.</p>",
        "<h2>The worst cases</h2>", _pictures(row, cases[:PICTURES], control),
        "<h2>All cases, worst first</h2>", _cases(row, cases), _card(row),
    ]  # fmt: skip
    said = f"Evaluated on {what}: {len(cases)} cases, {when(row.time)}."
    return write_page(target, row.model, said, warnings, parts)


def _names(row: EvaluationRow) -> list[str]:
    return list(row.cases[0]["dice"])


def _figures(row: EvaluationRow) -> str:
    names, figures, intervals = _names(row), row.result["metrics"], row.result["intervals"]

    def cell(key: str) -> str:
        between = intervals.get(key)
        said = f" <span class=dim>({between[0]:.3f} to {between[1]:.3f})</span>" if between else ""
        return f"<td>{figures[key]:.3f}{said}</td>"

    lines = [head_row(["", *names, "All"])]
    for key, title in _titles():
        cells = "".join(cell(f"test/{key}/{name}") for name in names)
        lines.append(f"<tr><td>{escape(title)}</td>{cells}{cell(f'test/{key}')}</tr>")
    for key, title in (("n_missed", "Missed"), ("n_false_alarms", "False alarms")):
        counts = [figures[f"test/{key}/{name}"] for name in names] + [figures[f"test/{key}"]]
        lines.append(f"<tr><td>{title}</td>{''.join(f'<td>{count:.0f}</td>' for count in counts)}</tr>")
    return f"<div class=wide><table>{''.join(lines)}</table></div>"


def _titles() -> list[tuple[str, str]]:
    known = [(key, f"{m.title} ({m.unit})" if m.unit else m.title) for key, m in metrics().items()]
    return [*known, ("volume_error_ml", "Volume error (mL)")]


def _cases(row: EvaluationRow, cases: list[dict[str, Any]]) -> str:
    names, titles = _names(row), _titles()
    heads = ["Case", "", *(f"{title}, {name}" for _, title in titles for name in names)]
    lines = [head_row(heads)]
    for case in cases:
        values = "".join(f"<td>{case[key][name]:.3f}</td>" for key, _ in titles for name in names)
        said = f"<td class='text bad'>{escape(_said(case))}</td>"
        lines.append(f"<tr><td>{escape(case['case'])}</td>{said}{values}</tr>")
    return f"<div class=wide><table>{''.join(lines)}</table></div>"


def _said(case: dict[str, Any]) -> str:
    """What is special about a case, in words."""
    if case.get("error"):
        return "refused by the model"
    parts = [f"{name} missed" for name in case["missed"]] + [f"{name}: false alarm" for name in case["false_alarms"]]
    return "; ".join(parts)


def _pictures(row: EvaluationRow, cases: list[dict[str, Any]], control: JobControl) -> str:
    figures = []
    for number, case in enumerate(cases):
        control.progress(number / len(cases), f"Drawing {case['case']}")
        files = row.files.get(case["case"])
        picture = case_picture(files) if files is not None else None
        dice = ", ".join(f"{name} {value:.3f}" for name, value in case["dice"].items())
        words = f"<b>{escape(case['case'])}</b><br>Dice {escape(dice)}"
        words += f"<br><span class=bad>{escape(_said(case))}</span>" if _said(case) else ""
        image = ""
        if picture is not None:
            code = base64.b64encode(png(picture)).decode()
            image = f"<img alt='{escape(case['case'], quote=True)}' src='data:image/png;base64,{code}'>"
        figures.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    legend = (
        "<p class=dim>The axial slice of largest disagreement, the patient's right on the left:"
        f" truth outlined <b style='color:rgb{TRUTH_RGB}'>in turquoise</b>, prediction"
        f" <b style='color:rgb{PREDICTION_RGB}'>in orange</b>.</p>"
    )
    return legend + "".join(figures)


def _card(row: EvaluationRow) -> str:
    """The card, where the model is still here."""
    try:
        card = "" if row.run else find_model(row.model.replace(" ", "-")).card
    except IsocenterError:
        card = ""
    return f"<h2>The model's card</h2><pre>{escape(card)}</pre>" if card else ""


def case_picture(files: CaseFiles) -> Array | None:
    """A case's axial slice of largest disagreement, (rows, columns, 3) uint8; None where a file cannot be read."""
    try:
        scan, truth = read(files.image), read(files.label)
        found = read(files.prediction) if files.prediction is not None else None
    except IsocenterError:
        return None
    turn = to_canonical(scan.affine_ras)
    values, labels = turn.apply(scan.values()), turn.apply(np.rint(truth.values()).astype(np.int32))
    marked = np.zeros_like(labels) if found is None else turn.apply(np.asarray(found.voxels)).astype(np.int32)
    if labels.shape != values.shape or marked.shape != values.shape:
        return None
    place = worst_place(labels, marked) or tuple(n // 2 for n in labels.shape)
    spacing = np.sqrt((turn.affine(scan.affine_ras, scan.grid_shape)[:3, :3] ** 2).sum(axis=0))
    flat = [array[:, :, place[2]].T[::-1, ::-1] for array in (values, labels, marked)]  # radiological
    rows, columns = (_around(np.flatnonzero(((flat[1] > 0) | (flat[2] > 0)).any(axis=axis)), flat[0].shape[1 - axis])
                     for axis in (1, 0))  # fmt: skip
    grey, labels, marked = (_enlarged(one[rows, columns], spacing[1], spacing[0]) for one in flat)
    low, high = np.percentile(values, (1, 99.5))
    shade = np.clip((grey - low) / max(high - low, 1e-9), 0, 1) * 255
    picture: Array = np.repeat(shade[..., None], 3, axis=2).astype(np.uint8)
    for map_, colour in ((marked, PREDICTION_RGB), (labels, TRUTH_RGB)):
        picture[_outline(map_)] = colour
    return picture


def _around(held: Array, size: int) -> slice:
    """The range that holds something, with room around it; all where nothing is held."""
    if held.size == 0:
        return slice(0, size)
    return slice(max(int(held[0]) - MARGIN_VOXELS, 0), min(int(held[-1]) + MARGIN_VOXELS + 1, size))


def _enlarged(flat: Array, high_mm: float, wide_mm: float) -> Array:
    """Nearest voxels at a size for print, square millimetres square."""
    tall, wide = flat.shape[0] * high_mm, flat.shape[1] * wide_mm
    scale = 2 * PICTURE_PX / max(tall, wide)
    rows, columns = (np.arange(max(round(mm * scale), 1)) for mm in (tall, wide))
    at = np.minimum(rows / (scale * high_mm), flat.shape[0] - 1).astype(int)
    across = np.minimum(columns / (scale * wide_mm), flat.shape[1] - 1).astype(int)
    taken: Array = flat[at[:, None], across[None]]
    return taken


def _outline(labels: Array) -> Array:
    """Pixels inside a structure within two pixels of its edge."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            edge |= np.roll(labels, step, axis) != labels
    return edge & (labels > 0)


def png(picture: Array) -> bytes:
    """(rows, columns, 3) uint8 as a PNG file (W3C PNG specification: colour type 2, no filter)."""
    rows, columns, _ = picture.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = b"".join(b"\0" + line.tobytes() for line in picture)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
