"""A risk prediction as a PDF for a reader without the program: one A4 page of figures, and one of slices.

It holds what the prediction holds: the subject's name, the names of files without their folders, values and pictures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import RESEARCH_ONLY, __version__
from core.control import JobControl
from core.data.cohort.settings import SCALES
from core.errors import IsocenterError, ModelError
from core.export import pages
from core.export.pages import DIM, GROUND, INNER, MARGIN, WARN, Page, signed
from core.files import whole_file
from core.tasks.alzheimers.package import SIMULATED, RiskPackage
from core.tasks.alzheimers.picturing import LOWERS, RAISES, pictures
from core.tasks.alzheimers.scoring import score_block

TITLE = "Alzheimer's risk"
PARTS = {"mri": "MRI", "pet": "PET", "clinical": "Clinical values"}
MOST_VALUES = 14
MOST_FINDINGS = 8
BOTTOM = 278.0  # above the foot
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def write_report(
    prediction: Mapping[str, Any], package: RiskPackage, target: Path, control: JobControl | None = None
) -> Path:
    """Write the report of one prediction as `predict` gives it; its images and maps are read again. Returns the file.

    Raises IsocenterError where the file cannot be written or is named otherwise, ModelError where the prediction is
    another model's. Of an image that is gone the report says so.
    """
    check_name(target)
    if (prediction["model"], prediction["version"]) != (package.name, package.version):
        raise ModelError(f"the prediction is {prediction['model']} {prediction['version']}'s", where=package.name)
    control = control or JobControl()
    control.progress(0.0, "Writing the report")
    target.parent.mkdir(parents=True, exist_ok=True)
    with pages.style():
        made = made_pages(prediction, package, control)
        content = pages.as_pdf(made, TITLE)
    with whole_file(target) as file:
        file.write(content)
    return target


def check_name(target: Path) -> None:
    """Raise IsocenterError where a report cannot have this name."""
    if target.suffix.lower() != ".pdf" or target.is_dir():
        raise IsocenterError("a report is a PDF file", where=target, mend="Give it a name that ends in .pdf.")


def made_pages(prediction: Mapping[str, Any], package: RiskPackage, control: JobControl) -> list[Page]:
    """The pages, within `core.export.pages.style`."""
    first = Page()
    y = _head(first, prediction, package)
    y = _facts(first, y, prediction, package)
    y = score_block(first, first.heading(y, "Score"), prediction, package)
    y = _findings(first, y, prediction)
    _reasons(first, y, prediction, package)
    made = [first]
    maps = (prediction.get("explanation") or {}).get("maps") or {}
    if maps:
        second = Page()
        y = _head(second, prediction, package)
        pictures(second, y + 1, prediction, package, control.part(0.1, 0.9))
        made.append(second)
    for number, page in enumerate(made, 1):
        _foot(page, number, len(made), package)
    return made


def _head(page: Page, prediction: Mapping[str, Any], package: RiskPackage) -> float:
    page.text(MARGIN, 21, TITLE, 17, bold=True)
    page.text(
        pages.WIDTH - MARGIN, 17, str(prediction.get("predicted_at", "")).replace("T", " ")[:16], 8.5, align="right"
    )
    page.fitted(pages.WIDTH - MARGIN, 21.5, str(prediction["subject"]), 90, 8.5, bold=True, align="right")
    y = page.note(25, RESEARCH_ONLY, warn=True)
    return page.note(y, SIMULATED, warn=True) if package.simulated or prediction.get("simulated") else y


def _foot(page: Page, number: int, count: int, package: RiskPackage) -> None:
    page.line(MARGIN, 284, pages.WIDTH - MARGIN, 284)
    words = f"{RESEARCH_ONLY}  Isocenter {__version__}; weights {package.manifest.sha256[:12]}"
    page.text(MARGIN, 288.5, words, 7, colour=DIM)
    page.text(pages.WIDTH - MARGIN, 288.5, f"{number} of {count}", 7, colour=DIM, align="right")


def _facts(page: Page, y: float, prediction: Mapping[str, Any], package: RiskPackage) -> float:
    """Who, from what, by which model, and how well that did."""
    manifest, training = package.manifest, package.manifest.training
    values, missing = len(manifest.plan.values), len(prediction.get("missing") or [])
    parts = str(prediction["parts"]).split("+")
    images = prediction.get("images") or {}
    given = f"{values - missing} of {values} given" if "clinical" in parts else "none given"
    left = [("Subject", str(prediction["subject"]))]
    left += [(PARTS[kind], Path(images[kind]).name if kind in images else "none given") for kind in ("mri", "pet")]
    left += [("Clinical values", given)]
    counts = ", ".join(f"{count:,} {part}" for part, count in training.cases.items() if count)
    right = [
        ("Model", f"{manifest.title}: {manifest.name} {manifest.version}"),
        ("Trained on", f"{training.data} ({counts})"),
        ("Learned score", _target(package)),
        ("Accuracy", _accuracy(prediction, package)),
    ]
    ends = []
    for x, wide, rows in ((MARGIN, 78.0, left), (MARGIN + 84, 94.0, right)):
        at = y + 4
        for name, words in rows:
            page.text(x, at, name, 8, colour=DIM)
            at = max(page.paragraph(x + 24, at, words, wide - 24, 8.5, most=3), at + 4.6)
        ends.append(at)
    return max(ends) + 4


def _target(package: RiskPackage) -> str:
    plan = package.manifest.plan
    zero, one = SCALES[plan.target_scale]
    scale = "" if plan.target_scale == "risk" else f", {zero:g} as 0 and {one:g} as 1"
    return f"{plan.target or 'score'}, 0 to 1{scale}"


def _accuracy(prediction: Mapping[str, Any], package: RiskPackage) -> str:
    """On subjects with the same parts that were not trained on."""
    training = package.manifest.training
    part = training.by_part.get(str(prediction["parts"]))
    found = part or training.figures
    if not found:
        return "not measured"
    names = (("pearson", "r"), ("mae", "mean error"), ("auroc", "AUC"))
    told = ", ".join(f"{words} {found[key]:.2f}" for key, words in names if key in found)
    whom = "held-out" if training.measured_on == "test" else "validation"
    number = f"{part['subjects']:.0f} {whom} subjects with the same parts" if part else f"{whom} subjects"
    return f"{told} on {number}"


def _findings(page: Page, y: float, prediction: Mapping[str, Any]) -> float:
    """What the check of the input found, warnings first; what was missing is told below."""
    told = [one for one in prediction.get("findings", []) if one["code"] not in ("simulated", "values-missing")]
    told.sort(key=lambda one: one["severity"] == "info")
    y = page.heading(y, "Check of the input")
    if not told:
        y = page.paragraph(MARGIN, y, "Nothing to warn of.", INNER)
    for one in told[:MOST_FINDINGS]:
        warn = one["severity"] != "info"
        page.text(MARGIN, y, "Warning" if warn else "Note", 8, bold=warn, colour=WARN if warn else DIM)
        y = page.paragraph(MARGIN + 18, y, one["message"], INNER - 18, most=2)
    if len(told) > MOST_FINDINGS:
        y = page.paragraph(MARGIN + 18, y, f"and {len(told) - MOST_FINDINGS} more.", INNER)
    missing = prediction.get("missing") or []
    if missing:
        names = ", ".join(name.replace("_", " ") for name in missing)
        words = f"{len(missing)} clinical values: {names}. None was filled in: the network knows that they are missing."
        y += 0.8
        page.text(MARGIN, y, "Missing", 8, colour=DIM)
        y = page.paragraph(MARGIN + 18, y, words, INNER - 18, most=4)
    return y + 4


def _reasons(page: Page, y: float, prediction: Mapping[str, Any], package: RiskPackage) -> None:
    """What each part and each of the strongest clinical values adds, as bars."""
    explanation = prediction.get("explanation") or {}
    if not explanation:
        return
    y = page.heading(y, "What the score rests on")
    base, score = explanation["base"], prediction["score"]
    words = (
        f"A subject with the mean of all images and values would score {base:.2f}; each part moves the score from there"
        f" to {score:.2f}. Integrated gradients: they say what the model used, not what causes the disease."
    )
    y = page.paragraph(MARGIN, y, words, INNER, 8, colour=DIM) + 1
    parts = str(prediction["parts"]).split("+")
    shares = [(name, float(adds)) for name, adds in explanation["shares"].items() if name in parts]
    y = _bars(page, y + 1, [(PARTS[name], "", "", adds) for name, adds in shares])
    values = explanation.get("clinical") or []
    room = int((BOTTOM - y - 12) / 4.6)
    shown = values[: min(MOST_VALUES, room)]
    if not shown:
        return
    known = {value.name: value for value in package.manifest.plan.values}
    y += 4
    for x, words, align in (
        (MARGIN, "Clinical value", "left"), (88.0, "this subject", "right"),
        (126.0, "trained on, mean ± SD", "right"), (162.0, "lowers | raises", "center"),
    ):  # fmt: skip
        page.text(x, y, words, 7.5, colour=DIM, align=align)
    rows = []
    for one in shown:
        value = known[one["name"]]
        words = value.words[round(one["value"])] if _is_word(one["value"], value.words) else _number(one["value"])
        usual = "" if value.words else f"{_number(value.mean)} ± {_number(value.scale)}"
        rows.append(
            (value.name.replace("_", " "), f"{words} {_unit(value.unit)}".strip(), usual, float(one["contribution"]))
        )
    y = _bars(page, y + 5, rows)
    if len(values) > len(shown):
        rest = sum(float(one["contribution"]) for one in values[len(shown) :])
        page.text(MARGIN, y, f"The other {len(values) - len(shown)} values together: {signed(rest)}", 8, colour=DIM)


def _is_word(value: float, words: list[str]) -> bool:
    return bool(words) and 0 <= round(value) < len(words) and abs(value - round(value)) < 1e-6


def _number(value: float) -> str:
    """With three figures, and no more than were given.

    >>> _number(71.0), _number(0.12345), _number(1234.5)
    ('71', '0.123', '1234')
    """
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _unit(unit: str) -> str:
    """
    >>> _unit("10^9/L"), _unit("kg/m^2")
    ('10⁹/L', 'kg/m²')
    """
    return re.sub(r"\^(\d+)", lambda found: found[1].translate(_RAISED), unit)


def _bars(page: Page, y: float, rows: list[tuple[str, str, str, float]]) -> float:
    """Name, value, the usual one, and a bar from the middle of its column; returns the baseline below."""
    middle, reach = 162.0, 18.0
    most = max((abs(value) for *_, value in rows), default=0.0) or 1.0
    for number, (name, value, usual, adds) in enumerate(rows):
        if number % 2 == 0:
            page.box(MARGIN - 1.5, y - 3.35, INNER + 3, 4.6, GROUND)
        page.fitted(MARGIN, y, name, 46)
        page.fitted(88, y, value, 28, align="right")
        page.fitted(126, y, usual, 36, align="right", colour=DIM)
        wide = abs(adds) / most * reach
        page.box(middle if adds > 0 else middle - wide, y - 2.6, max(wide, 0.2), 3.1, RAISES if adds > 0 else LOWERS)
        page.text(pages.WIDTH - MARGIN, y, signed(adds), align="right")
        y += 4.6
    page.line(middle, y - 4.6 * len(rows) - 3.3, middle, y - 3.4, DIM, 0.5)
    return y
