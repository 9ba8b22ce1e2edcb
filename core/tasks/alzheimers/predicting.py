"""Risk scores of subjects that a model has not seen: with intervals, findings, and what speaks for them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.cohort.subject import Subject
from core.errors import DatasetError, IsocenterError
from core.files import make_folder, write_text
from core.imaging.volume import Finding
from core.tasks.alzheimers.asking import subjects_of
from core.tasks.alzheimers.package import SIMULATED, RiskPackage
from core.tasks.alzheimers.plan import FARTHEST, RiskPlan, named
from core.tasks.alzheimers.preparing import cache_folder
from core.tasks.alzheimers.report import check_name, write_report

RESEARCH = "Research use only."
MOST_TOLD = 8
WORDS = {"mri": "MRI", "pet": "PET", "clinical": "clinical values"}


def predict(
    package: RiskPackage, paths: Sequence[Path], out: Path, options: Mapping[str, Any],
    control: JobControl | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Predict each subject and write `<first file's stem>_risk.json` into `out`.

    options: mri, pet, clinical (files of one subject), device, explain, report (a PDF file, of one subject).
    Returns {"predictions": [...], "findings": [...], "outputs": [...]}; a prediction has "score", "interval",
    "parts", "probability" of a score over the threshold, "images" and "values" that it was made from, "findings",
    "model", "seconds", "simulated".
    Raises DatasetError, ModelError, UnreadableScan or IsocenterError.
    """
    control = control or JobControl()
    plan, report = package.manifest.plan, options.get("report")
    if report is not None:
        check_name(Path(report))
    control.progress(None, "Reading")
    subjects, findings = subjects_of(paths, options, plan, control)
    if report is not None and len(subjects) != 1:
        raise IsocenterError(
            f"a report is of one subject, and there are {len(subjects)}", where=report,
            mend="Give the files of one subject, or leave the report out.",
        )  # fmt: skip
    control.progress(None, "Loading the model")
    answerer = package.load(_device(str(options.get("device") or "auto")))
    make_folder(out)
    first = next(iter([*paths, *(Path(options[key]) for key in ("clinical", "mri", "pet") if options.get(key))]))
    target = out / f"{first.name.partition('.')[0]}_risk.json"
    predictions = []
    for number, subject in enumerate(subjects):
        part = control.part(number / len(subjects), (number + 1) / len(subjects))
        part.progress(0, f"{subject.id}: bringing its images to the model's grid")
        began = time.perf_counter()
        prediction = _predict(package, answerer, subject, out, bool(options.get("explain") or report), part)
        prediction |= {"output": str(target), "seconds": round(time.perf_counter() - began, 3)}
        predictions.append(prediction)
    told = [finding.as_dict() for finding in findings]
    if package.simulated:
        told.insert(0, Finding("simulated", "warning", SIMULATED).as_dict())
    predictions[0]["findings"] = told + predictions[0]["findings"]
    write_text(target, json.dumps({"predictions": predictions, "note": RESEARCH}, indent=1, ensure_ascii=False))
    if report is not None:
        write_report(predictions[0], package, Path(report), control)
    return {
        "predictions": predictions, "findings": [f for one in predictions for f in one["findings"]],
        "outputs": [str(target), *([str(report)] if report is not None else [])],
    }  # fmt: skip


def _predict(
    package: RiskPackage, answerer: Any, subject: Subject, out: Path, explain: bool, control: JobControl
) -> dict[str, Any]:
    from core.tasks.alzheimers.data import Volumes

    plan, manifest = package.manifest.plan, package.manifest
    pair = Volumes([subject], plan, cache_folder(), keep=False).get(0, control)
    encoded = answerer.encode(pair, subject.clinical)
    if not encoded.parts:
        raise DatasetError(
            f"of {subject.id} there is neither an image nor a clinical value", mend="Give at least one of them."
        )
    answer, parts = answerer.answer(encoded), named(encoded.parts)
    findings = [*_missing(encoded.parts), *_unusual(package, subject)]
    found: dict[str, Any] = {
        "scan": str(subject.mri or subject.pet or subject.id), "subject": subject.id, "model": package.name,
        "version": package.version, "score": answer.score, "interval": None, "confidence": None, "parts": parts,
        "probability": None, "threshold": plan.threshold, "simulated": package.simulated, "note": RESEARCH,
        "predicted_at": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "images": {kind: str(path) for kind in ("mri", "pet") if (path := getattr(subject, kind)) is not None},
        "values": _given(plan, subject),
        "missing": _absent(plan, subject) if "clinical" in encoded.parts else [],
        "cohort": {"mean": plan.mean_score, "percent_below": plan.percent_below(answer.score)},
    }  # fmt: skip
    if manifest.intervals is not None:
        found |= {
            "interval": manifest.intervals.interval(answer, parts), "confidence": manifest.intervals.confidence
        }  # fmt: skip
        if not manifest.intervals.calibrated(parts):
            said = _and(WORDS[part] for part in parts.split("+"))
            what = f"Too few validation subjects had just {said}: the interval is a rough one."
            findings.append(Finding("interval-rough", "warning", what))
    else:
        findings.append(Finding("no-interval", "warning", "The model was published without its cohort: no interval."))
    if manifest.event is not None:
        found["probability"] = float(manifest.event.probability(answer.score))
    if subject.contents and plan.known([subject])[0]:
        findings.append(
            Finding("trained-on", "warning", f"{subject.id} was trained on, so the score flatters the model.")
        )
    if explain:
        found["explanation"] = _explain(package, answerer, subject, pair, out, control)
    return {**found, "findings": [finding.as_dict() for finding in findings]}


def _given(plan: RiskPlan, subject: Subject) -> dict[str, float]:
    """The clinical values that there are, by name, in the plan's order."""
    cells = zip(plan.values, subject.clinical, strict=True)
    return {value.name: float(f"{cell:.7g}") for value, cell in cells if np.isfinite(cell)}


def _absent(plan: RiskPlan, subject: Subject) -> list[str]:
    """The names of the clinical values that are missing, in the plan's order."""
    return [value.name for value, cell in zip(plan.values, subject.clinical, strict=True) if not np.isfinite(cell)]


def _missing(parts: frozenset[str]) -> list[Finding]:
    lacking = [word for part, word in WORDS.items() if part not in parts]
    if not lacking:
        return []
    return [Finding("missing", "info", f"Without {_and(lacking)}: the interval is the wider for it.")]


def _and(words: Iterable[str]) -> str:
    """
    >>> _and(["MRI"]), _and(["MRI", "PET"]), _and(["MRI", "PET", "clinical values"])
    ('MRI', 'MRI and PET', 'MRI, PET and clinical values')
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _unusual(package: RiskPackage, subject: Subject) -> list[Finding]:
    """Clinical values that are not there, and those far outside of what was trained on."""
    plan, found = package.manifest.plan, []
    there = np.isfinite(subject.clinical)
    if there.any() and not there.all():
        what = f"{int((~there).sum())} of {len(there)} clinical values are missing."
        found.append(Finding("values-missing", "info", what))
    far = np.flatnonzero(there & (np.abs(plan.standardised(subject.clinical[None])[0]) >= FARTHEST))
    for place in far[:MOST_TOLD]:
        value = plan.values[place]
        what = (
            f"{value.name} is {subject.clinical[place]:g} {value.unit}".rstrip()
            + f", far from what was trained on ({value.mean:.3g} ± {value.scale:.2g})."
        )
        found.append(Finding("unusual-value", "warning", what))
    if len(far) > MOST_TOLD:
        found.append(Finding("unusual-value", "warning", f"{len(far) - MOST_TOLD} more values are as far off."))
    return found


def _explain(
    package: RiskPackage, answerer: Any, subject: Subject, pair: Any, out: Path, control: JobControl
) -> dict[str, Any]:
    """What speaks for the score, its maps written on the scans' own grids."""
    from core.tasks.alzheimers.attribution import attribute
    from core.tasks.alzheimers.maps import write_map

    plan = package.manifest.plan
    found = attribute(answerer, pair, subject.clinical, control)
    safe = re.sub(r"[^\w.-]", "_", subject.id)[:80]
    maps = {}
    for kind, volume in found.maps.items():
        path = out / f"{safe}_{kind}_explained.nii.gz"
        write_map(path, volume, plan.grid, subject, kind, control)
        maps[kind] = str(path)
    order = np.argsort(-np.abs(found.values))
    values = [
        {"name": plan.values[i].name, "value": float(f"{subject.clinical[i]:.7g}"), "unit": plan.values[i].unit,
         "contribution": float(found.values[i])}
        for i in order if np.isfinite(subject.clinical[i])
    ]  # fmt: skip
    return {"base": found.base, "shares": found.shares, "maps": maps, "clinical": values}


def _device(asked: str) -> str:
    from core.training.devices import choose

    return choose(asked)
