"""What is wrong or suspect in a cohort: one list, each entry with the rows it is about and how to mend it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from core.data.cohort.columns import Cells, number_of, some
from core.data.cohort.images import ImageFacts
from core.data.cohort.settings import SCALES, CohortDataConfig
from core.data.cohort.subject import Feature, Subject
from core.imaging.volume import Finding

Array = np.ndarray[Any, Any]

FEWEST_SUBJECTS = 20
LEAK_CORRELATION = 0.985  # a clinical value that follows the score so closely was made from it
OUTSIDE_SHARE = 0.5  # so many values outside of their range are in another unit, rather than wrong one by one
FITTING_SHARE = 0.9
FEWEST_FOR_FACTORS = 5
FAR_APART_MM = 25.0  # centres of a subject's MRI and PET; necks and tables are seen by one and not the other
SHARPER = 1.25  # a PET that is so much sharper than its MRI may be the MRI; BrainWeb: the MRI is 1.3 times as sharp

# Between the units that clinics use for one quantity: what is told, the factor, and the words of a value's name or
# unit that it is for. Those without a word are for any.
FACTORS: tuple[tuple[str, float, str], ...] = (
    ("mg/dL and mmol/L of glucose", 18.016, "glucose"), ("mg/dL and mmol/L of cholesterol", 38.67, "cholesterol"),
    ("mg/dL and mmol/L of triglycerides", 88.57, "triglycerid"), ("mg/dL and µmol/L of creatinine", 88.42, "creatinin"),
    ("mg/dL and µmol/L of bilirubin", 17.1, "bilirubin"), ("mg/dL and mmol/L of urea", 2.801, "urea"),
    ("mg/dL and mmol/L of calcium", 4.008, "calcium"), ("ng/mL and nmol/L of vitamin D", 2.496, "vitamin_d"),
    ("pounds and kilograms", 2.2046, "kg"), ("inches and centimetres", 2.54, "cm"), ("months and years", 12.0, "year"),
    ("a tenth", 10.0, ""), ("a hundredth", 100.0, ""), ("a thousandth", 1000.0, ""),
)  # fmt: skip


def numbers(
    columns: Mapping[str, Cells], features: Sequence[Feature], missing_codes: Sequence[float], count: int
) -> tuple[Array, list[Finding]]:
    """(rows, features) float32 with NaN where missing, and what of the cells is no number."""
    found = np.full((count, len(features)), np.nan, np.float32)
    findings = []
    codes = set(missing_codes)
    for place, feature in enumerate(features):
        place_of = {word: float(i) for i, word in enumerate(feature.words)}
        odd = []
        for row, cell in enumerate(columns[feature.name]):
            if cell is None:
                continue
            value = place_of.get(cell) if feature.words else number_of(cell)
            if value is None:
                odd.append((row + 2, cell))
            elif value not in codes:
                found[row, place] = value
        if odd:
            where = some([f"row {row} {cell[:30]!r}" for row, cell in odd], 3)
            what = f"{feature.name} holds text where a number belongs ({where}); it counts as missing. Write a number"
            what += ", the limit itself for one like <8, or nothing."
            findings.append(Finding("text-for-number", "warning", what))
    return found, findings


def targets(cells: Cells, name: str, data: CohortDataConfig) -> tuple[list[float | None], list[Finding]]:
    """Each row's score in 0..1, None where there is none, and which are no score."""
    found: list[float | None] = []
    odd, outside = [], []
    codes = set(data.missing_codes)
    for row, cell in enumerate(cells):
        value = None if cell is None else number_of(cell)
        if cell is not None and value is None:
            odd.append(f"row {row + 2} {cell[:30]!r}")
        risk = None if value is None or value in codes else data.to_risk(value)
        if risk is not None and not 0 <= risk <= 1:
            outside.append(f"row {row + 2} {cell}")
            risk = None
        found.append(risk)
    findings = []
    zero, one = SCALES[data.target_scale]
    if odd:
        what = f"The score {name} is no number in {some(odd, 4)}; write a number or nothing."
        findings.append(Finding("score-not-number", "error", what))
    if outside:
        what = f"The score {name} lies outside of {min(zero, one):g} to {max(zero, one):g} in {some(outside, 4)}"
        what += "; mend the values, or choose another data.target_scale."
        findings.append(Finding("score-outside", "error", what))
    return found, findings


def of_table(rows: Sequence[tuple[int, Subject]], features: Sequence[Feature], target: str) -> list[Finding]:
    """What is wrong with subjects, scores and clinical values, the rows told by their numbers."""
    return [*_of_subjects(rows, target), *of_values(rows, features), *_of_leaks(rows, features)]


def _of_subjects(rows: Sequence[tuple[int, Subject]], target: str) -> Iterable[Finding]:
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    visits: dict[str, set[str]] = defaultdict(set)
    for number, subject in rows:
        places[subject.id, subject.visit].append(number)
        visits[subject.id].add(subject.visit)
    twice = [f"{name} (rows {', '.join(map(str, at))})" for (name, _), at in places.items() if len(at) > 1]
    if twice:
        stand = _count(len(twice), "subject stands", "subjects stand")
        what = f"{stand} more than once without a visit to tell them apart: {some(twice, 3)}"
        yield Finding("duplicate-subject", "error", f"{what}. Delete rows, or set data.columns.visit.")
    several = sum(len(seen) > 1 for seen in visits.values())
    if several:
        subjects = _count(several, "subject has", "subjects have")
        what = f"{subjects} several visits; all of one subject stay on one side of the split."
        yield Finding("several-visits", "info", what)
    scored = {subject.id for _, subject in rows if subject.target is not None}
    if not scored:
        how = f"no value in the column {target}" if target else "no column for it: set data.columns.target"
        yield Finding("no-score", "warning", f"No subject has a score ({how}); nothing can be learned.")
    elif len(scored) < FEWEST_SUBJECTS:
        what = f"Only {_count(len(scored), 'subject has', 'subjects have')} a score; figures of so few say little."
        yield Finding("few-subjects", "warning", what)
    for kind in ("mri", "pet"):
        gone = sum(getattr(subject, kind) is None for _, subject in rows)
        if gone:
            what = f"{gone} of {len(rows)} rows have no {kind.upper()}; they are used with what they have."
            yield Finding(f"no-{kind}", "info", what)


def of_values(rows: Sequence[tuple[int, Subject]], features: Sequence[Feature]) -> Iterable[Finding]:
    """Clinical values that nobody has, that lie outside of their ranges, or that seem to be in another unit."""
    if not rows:
        return
    values = np.stack([subject.clinical for _, subject in rows])
    for place, feature in enumerate(features):
        column = values[:, place]
        filled = np.isfinite(column)
        if not filled.any():
            yield Finding("all-missing", "warning", f"{feature.name} is empty in every row.")
            continue
        if not feature.has_range:
            continue
        # As float32, in which the values are held: 0.15 is then no smaller than its own limit.
        low, high = np.float32(feature.low), np.float32(feature.high)
        with np.errstate(invalid="ignore"):
            outside = np.flatnonzero((column < low) | (column > high))
        if not len(outside):
            continue
        span = f"{feature.low:g} to {feature.high:g} {feature.unit}".rstrip()
        most, many = len(outside) > OUTSIDE_SHARE * filled.sum(), len(outside) >= FEWEST_FOR_FACTORS
        other = other_unit(column[outside], feature, any_factor=most and many) if most or many else ""
        lie = f"{feature.name}: {_count(len(outside), 'value lies', 'values lie')} outside of"
        if other:
            what = f"{lie} {span}, as in another unit ({other})"
            yield Finding("other-unit", "warning", f"{what}. Convert them, or mend the column's unit and range.")
        else:
            where = some([f"row {rows[i][0]}: {column[i]:g}" for i in outside.tolist()], 3)
            what = f"{lie} the plausible {span} ({where})"
            yield Finding("out-of-range", "warning", f"{what}. Mend them, or empty the cells.")


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def other_unit(values: Array, feature: Feature, *, any_factor: bool) -> str:
    """The factor that brings nearly all values into the feature's range, in words; "" where none does.

    any_factor: also powers of ten. Of a few values, some are ten times too large by a slip of the pen.
    """
    said = f"{feature.name} {feature.unit}".lower()
    for told, factor, word in FACTORS:
        if word not in said or (not word and not any_factor):
            continue
        for scaled in (values * factor, values / factor):
            if float(((scaled >= feature.low) & (scaled <= feature.high)).mean()) > FITTING_SHARE:
                return told
    return ""


def _of_leaks(rows: Sequence[tuple[int, Subject]], features: Sequence[Feature]) -> Iterable[Finding]:
    scored = [subject for _, subject in rows if subject.target is not None]
    if len(scored) < FEWEST_SUBJECTS:
        return
    truth = np.array([subject.target for subject in scored])
    values = np.stack([subject.clinical for subject in scored])
    for place, feature in enumerate(features):
        there = np.isfinite(values[:, place])
        if there.sum() < FEWEST_SUBJECTS or np.ptp(values[there, place]) == 0 or np.ptp(truth[there]) == 0:
            continue
        r = float(np.corrcoef(values[there, place], truth[there])[0, 1])
        if abs(r) > LEAK_CORRELATION:
            what = f"{feature.name} follows the score nearly perfectly (r {r:.3f}): was it made from it? Leave it out."
            yield Finding("leak", "warning", what)


def of_images(looked: Sequence[tuple[int, str, Mapping[str, ImageFacts]]]) -> list[Finding]:
    """Swapped modalities, images that do not lie on each other, and one image for several subjects."""
    return [*_swapped(looked), *_apart(looked), *_twice(looked)]


def _swapped(looked: Sequence[tuple[int, str, Mapping[str, ImageFacts]]]) -> Iterable[Finding]:
    wrong, unsure = [], []
    for number, name, facts in looked:
        mri, pet = facts.get("mri"), facts.get("pet")
        if (mri is not None and mri.looks == "pet") or (pet is not None and pet.modality == "MR"):
            wrong.append(f"row {number} ({name})")
        elif pet is not None and (pet.looks == "mri" or (mri is not None and _pet_is_sharper(mri, pet))):
            unsure.append(f"row {number} ({name})")
    if wrong:
        what = f"MRI and PET seem to be swapped in {some(wrong, 4)}: the MRI looks like a PET, or is not T1-weighted"
        yield Finding("swapped-modalities", "error", f"{what}. Swap the paths, or give the T1-weighted scan.")
    if unsure:
        # Not refused: a PET of amyloid shows the white matter of a healthy brain brighter too.
        what = (
            f"The PET may be an MRI in {some(unsure, 4)}: white matter is the brighter one, or it is the sharper scan"
        )
        yield Finding("maybe-swapped", "warning", f"{what}. Look at them, and swap the paths if so.")


def _pet_is_sharper(mri: ImageFacts, pet: ImageFacts) -> bool:
    """Where neither the file nor the tissue tells what they are."""
    return "unknown" in (mri.looks, pet.looks) and pet.sharpness > SHARPER * mri.sharpness


def _apart(looked: Sequence[tuple[int, str, Mapping[str, ImageFacts]]]) -> Iterable[Finding]:
    apart, grids, raw = [], 0, 0
    for number, name, facts in looked:
        raw += any(not found.in_template_space for found in facts.values())
        if len(facts) < 2:
            continue
        mri, pet = facts["mri"], facts["pet"]
        distance = float(np.linalg.norm(np.subtract(mri.centre_mm, pet.centre_mm)))
        both = mri.in_template_space and pet.in_template_space
        if both and distance > FAR_APART_MM:
            apart.append(f"row {number} ({name}, {distance:.0f} mm)")
        grids += both and (mri.shape[:3], mri.affine_ras) != (pet.shape[:3], pet.affine_ras)
    if apart:
        what = f"MRI and PET say that they lie in template space, and lie apart, in {some(apart, 4)}"
        yield Finding("not-aligned", "error", f"{what}. Register them: isocenter prepare does.")
    if grids:
        subjects = _count(grids, "subject has", "subjects have")
        what = f"{subjects} the PET on another grid than the MRI; both are brought to the model's grid."
        yield Finding("other-grid", "info", what)
    if raw:
        subjects = _count(raw, "subject has", "subjects have")
        what = f"{subjects} images that do not lie in template space: they are prepared first, which takes "
        what += "about a minute each. `isocenter prepare` does it ahead."
        yield Finding("raw-images", "info", what)


def _twice(looked: Sequence[tuple[int, str, Mapping[str, ImageFacts]]]) -> Iterable[Finding]:
    places: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for number, name, facts in looked:
        for kind, found in facts.items():
            places[found.content].append((number, name, kind))
    shared = [at for at in places.values() if len(at) > 1]
    people = [at for at in shared if len({name for _, name, _ in at}) > 1]
    alone = [at for at in shared if at not in people]
    for at, code, who in (
        (people, "image-of-several", "for different subjects"), (alone, "image-twice", "more than once for one subject")
    ):  # fmt: skip
        if at:
            rows = some([" and ".join(f"row {number} {kind.upper()}" for number, _, kind in one[:3]) for one in at], 3)
            what = (
                f"{_count(len(at), 'image stands', 'images stand')} {who} ({rows}); all stay on one side of the split"
            )
            what += ". Mend the paths." if code == "image-of-several" else "."
            yield Finding(code, "warning", what)
