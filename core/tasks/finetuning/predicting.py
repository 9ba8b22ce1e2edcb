"""Predictions for stays, and how good they are."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.catalog import Catalog
from core.control import JobControl
from core.data.stays.clean import check, measured
from core.data.stays.coding import StayCoding
from core.data.stays.known import IDENTIFIERS, MEASUREMENTS, ONLY_STATIC, OUTCOMES
from core.data.stays.outcomes import outcome_files, read_outcomes
from core.data.stays.read import read_stays
from core.data.stays.series import Stays
from core.errors import DatasetError
from core.files import make_folder, replacing, write_text
from core.imaging.volume import Finding
from core.metrics.intervals import bootstrap
from core.tasks.finetuning.answering import answer_all, contributions, course, doubt, rows_of
from core.tasks.finetuning.by_hour import measure_by_hour
from core.tasks.finetuning.module import figures
from core.tasks.finetuning.outcome import Target
from core.tasks.finetuning.package import StayManifest, StayPackage
from core.tasks.pretraining import preparing

Array = np.ndarray[Any, Any]
COURSE_NOTE = "What would have been answered from what was known by then"
EXPLAINED = 20  # stays that are explained without being asked to
RESAMPLES = 500
TRAINED = "trained.npy"  # in a run's folder: fingerprints of the training stays


def predict_stays(
    package: StayPackage, path: Path, out: Path, options: Mapping[str, Any], control: JobControl | None = None
) -> dict[str, Any]:
    """Predict the stays of a file, folder or archive and write `<its name>_stays.csv` and `.json` into `out`.

    The JSON holds each stay's answer with its interval and, of a few stays or with the option `explain`, its course
    over time and what it hangs on. Raises DatasetError, ModelError or IsocenterError.
    """
    control = control or JobControl()
    stays = read_stays(path, control)
    manifest, network = package.manifest, package.load()
    findings = [finding.as_dict() for finding in differences(manifest.coding, stays)]
    began = time.perf_counter()
    rows = rows_of(manifest.coding, stays)
    found = answer_all(manifest, network, rows, control)
    make_folder(out)
    stem = path.name.partition(".")[0]
    table, whole = out / f"{stem}_stays.csv", out / f"{stem}_stays.json"
    explain = bool(options.get("explain")) or len(stays) <= EXPLAINED
    counts = measured(_in_time(manifest.coding, stays), manifest.coding.names)
    predictions = []
    for n, id in enumerate(stays.ids):
        control.progress(n / len(stays), f"{id}: its doubt{' and what it hangs on' if explain else ''}")
        one = rows.stays(torch.tensor([n]))
        low, high = doubt(manifest, network, one)
        told: dict[str, Any] = {
            "scan": str(path), "stay": id, "model": package.name, "output": str(table),
            "outcome": manifest.target.title,
            **_answered(manifest.target, manifest.threshold, found[n], low[0], high[0]),
            "measurements": int(counts[n]), "findings": _findings_of(counts[n]) + (findings if n == 0 else []),
        }  # fmt: skip
        if explain:
            told |= explained(package, network, one, found[n])
        told["seconds"] = 0.0
        predictions.append(told)
    seconds = round((time.perf_counter() - began) / len(stays), 6)
    for told in predictions:
        told["seconds"] = seconds
    _write(table, manifest.target, predictions)
    write_text(whole, json.dumps({"model": package.name, "version": package.version, "predictions": predictions}))
    return {"predictions": predictions, "findings": findings, "outputs": [str(table), str(whole)]}


def _answered(target: Target, threshold: float, found: Any, low: Any, high: Any) -> dict[str, Any]:
    if target.kind == "regression":
        return {"score": float(found), "interval": [float(low), float(high)]}
    shares = dict(zip(target.labels, map(float, found), strict=True))
    ends = {name: [float(a), float(b)] for name, a, b in zip(target.labels, low, high, strict=True)}
    if target.kind == "multilabel":
        return {"probabilities": shares, "intervals": ends}
    chosen = int(found[1] > threshold) if target.kind == "binary" else int(np.argmax(found))
    asked = target.labels[1] if target.kind == "binary" else target.labels[chosen]
    told = {"predicted": target.labels[chosen], "probabilities": shares, "interval": ends[asked], "interval_of": asked}
    return told if target.kind == "binary" else {**told, "intervals": ends}


def _which(target: Target, found: Any) -> int:
    """The class or label that is explained: of two the second, else the most probable."""
    return 1 if target.kind == "binary" else 0 if target.kind == "regression" else int(np.argmax(found))


def explained(package: StayPackage, network: Any, stay: Any, found: Any) -> dict[str, Any]:
    """The course of one stay's answer, and what of it each variable and each step moves."""
    manifest = package.manifest
    target, coding = manifest.target, manifest.coding
    which = _which(target, found)
    hours, answered, low, high = course(manifest, network, stay)
    if target.kind != "regression":
        answered, low, high = answered[:, which], low[:, which], high[:, which]
    by_variable, by_step = contributions(manifest, network, stay, which)
    order = np.argsort(-np.abs(by_variable), kind="stable")
    measured = stay.observed[0].any(0).numpy()
    return {
        "explained": "score" if target.kind == "regression" else target.labels[which],
        "course": [
            {"hours": float(h), "value": float(v), "interval": [float(a), float(b)]}
            for h, v, a, b in zip(hours, answered, low, high, strict=True)
        ],
        "course_note": _course_note(manifest),
        "contributions": {
            "unit": "its own" if target.kind == "regression" else "log odds",
            "variables": {coding.names[n]: float(by_variable[n]) for n in order if measured[n]},
            "hours": [
                {"hours": [n * coding.step_hours, (n + 1) * coding.step_hours], "value": float(v)}
                for n, v in enumerate(by_step)
            ],
        },
    }


def _course_note(manifest: StayManifest) -> str:
    """How far the course can be trusted: as measured, where it was trained for that."""
    if not manifest.training.truncate:
        return f"{COURSE_NOTE}; trained on whole stays, so early ones are rough."
    name = next((n for n in ("auroc", "mae") if all(n in of for of in manifest.training.by_hour)), "")
    told = [f"{of[name]:.2f} after {of['hours']:g} h" for of in manifest.training.by_hour if name]
    return f"{COURSE_NOTE}." + (f" {name.upper()} on unseen stays: {', '.join(told)}." if told else "")


def _in_time(coding: StayCoding, stays: Stays) -> Stays:
    """The stays with what a model looks at only: not what came after its whole time."""
    return stays.events(stays.hours <= coding.steps * coding.step_hours)


def _findings_of(count: int) -> list[dict[str, str]]:
    if count == 0:
        text = "Nothing of what the model uses was measured; the answer says no more than age and the like."
        return [Finding("no-measurements", "warning", text).as_dict()]
    if count == 1:
        return [Finding("one-measurement", "warning", "The answer rests on a single measurement.").as_dict()]
    return []


def differences(coding: StayCoding, stays: Stays) -> list[Finding]:
    """What a person should know of stays that are not like those that were trained on."""
    inside = _in_time(coding, stays)
    told = [*stays.findings, *check(inside, coding.names)]
    new = [
        name for name in stays.variables
        if name not in coding.names and name not in (*IDENTIFIERS, *ONLY_STATIC, *OUTCOMES)
    ]  # fmt: skip
    if new:
        are = "1 variable is" if len(new) == 1 else f"{len(new)} variables are"
        what = f"{are} not known to the model: {', '.join(new[:6])}{' ...' if len(new) > 6 else ''}."
        told.append(Finding("unknown-variables", "info", what))
    gone = [name for name in coding.names if name not in stays.variables]
    if len(gone) == len(coding.names):
        raise DatasetError(
            f"none of the model's {len(gone)} variables is in the data", where=", ".join(stays.ids[:3]),
            mend=f"It knows {', '.join(coding.names[:8])}{' ...' if len(gone) > 8 else ''}.",
        )  # fmt: skip
    late, whole = len(stays.hours) - len(inside.hours), coding.steps * coding.step_hours
    if late:
        what = f"{late:,} measurements come after the {whole:g} h that the model looks at: not used."
        told.append(Finding("late-measurements", "info", what))
    if gone:
        are = "is" if len(gone) == 1 else "are"
        what = f"{len(gone)} of the model's variables {are} not in the data: {', '.join(gone[:8])}."
        told.append(Finding("missing-variables", "info" if len(gone) < len(coding.names) / 2 else "warning", what))
    place = {name: n for n, name in enumerate(stays.variables)}
    for scaling in coding.variables:
        values = stays.value[stays.variable == place[scaling.name]] if scaling.name in place else np.zeros(0)
        if len(values) < 3 or scaling.high <= scaling.low:
            continue
        middle, width = float(np.median(values)), scaling.high - scaling.low
        # Of a wide range even a value ten times too small lies near it; so its ratio is looked at too.
        far = scaling.low > 0 and not scaling.low / 2 <= middle <= 2 * scaling.high
        if far or middle < scaling.low - width / 2 or middle > scaling.high + width / 2:
            known = MEASUREMENTS.get(scaling.name)
            unit = f" {known.unit}" if known and known.unit else ""
            what = (
                f"{scaling.name} is about {middle:.4g} here, and was {scaling.low:.4g} to {scaling.high:.4g}{unit} in"
                " training: it may be in another unit."
            )
            told.append(Finding("other-unit", "warning", what))
    return told


def _write(path: Path, target: Target, predictions: Sequence[dict[str, Any]]) -> None:
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        shares = [f"probability {name}" for name in target.labels]
        writer.writerow(["stay", f"predicted {target.title}", *shares, "low", "high"])
        for told in predictions:
            low, high = told.get("interval", ("", ""))
            answer = told.get("predicted", told.get("score", ""))
            writer.writerow(
                [told["stay"], answer, *(f"{value:.6f}" for value in told.get("probabilities", {}).values()), low, high]
            )


def measure(
    package: StayPackage, stays: Stays, value: Array, control: JobControl | None = None, *, intervals: bool = True
) -> dict[str, Any]:
    """Metrics over stays with their targets, their intervals, each case, and the figures as they were early:
    {"metrics", "intervals", "cases", "by_hour"}."""
    manifest, network = package.manifest, package.load()
    target, rows = manifest.target, rows_of(manifest.coding, stays)
    found = answer_all(manifest, network, rows, control)

    def of(outputs: Array, truth: Array) -> dict[str, float]:
        return figures(outputs, truth, target, threshold=manifest.threshold)

    metrics = of(found, value)
    ends = bootstrap(of, found, value, resamples=RESAMPLES, control=control) if intervals else {}
    cases = []
    for n, id in enumerate(stays.ids):
        told: dict[str, Any] = {"case": id}
        if target.kind == "regression":
            told |= {"outcome": float(value[n] * target.scale + target.mean), "score": float(found[n])}
        else:
            shares = dict(zip(target.labels, map(float, found[n]), strict=True))
            truth: Any = (
                {name: None if np.isnan(v) else int(v) for name, v in zip(target.labels, value[n], strict=True)}
                if target.kind == "multilabel" else target.classes[int(value[n])]
            )  # fmt: skip
            told |= {"outcome": truth, "probabilities": shares}
        cases.append(told)
    return {
        "metrics": {f"test/{name}": v for name, v in metrics.items()},
        "intervals": {f"test/{name}": v for name, v in ends.items()}, "cases": cases,
        "by_hour": measure_by_hour(manifest, network, rows, value, control, intervals=intervals),
    }  # fmt: skip


def evaluate(
    package: StayPackage, path: Path, *, split: str | None = None, control: JobControl | None = None
) -> dict[str, Any]:
    """As `measure`, for a folder or file with outcomes beside it, with how many of the stays were trained on.

    split: only this part of the run's own stays. Raises DatasetError where no stay has an outcome.
    """
    target = package.manifest.target
    stays, outcomes = read_stays(path, control), read_outcomes(outcome_files(Path(path).expanduser().absolute()))
    gone = [name for name in target.columns if name not in outcomes.columns]
    if gone:
        raise DatasetError(
            f"there is no outcome {', '.join(gone)} to compare with", where=path,
            mend="Put a table of outcomes, one row a stay, beside the stays, such as outcomes.csv.",
        )  # fmt: skip
    folder = _run_folder(package)
    if split is not None:
        if folder is None:
            raise DatasetError("the split was recorded with the model's run, which is not here", where=path)
        wanted = preparing.load_split(folder)[split]
        if not wanted:
            raise DatasetError(f"the recorded {split} part is empty", where=path)
        stays = stays.take(preparing.rows_of(stays, wanted, path))
    value, known = target.of(outcomes, stays.ids)
    findings = [finding.as_dict() for finding in differences(package.manifest.coding, stays)]
    if not known.all():
        what = f"{int((~known).sum()):,} stays have no outcome that the model knows; they are left out."
        findings.append(Finding("no-outcome", "warning", what).as_dict())
    if not known.any():
        raise DatasetError("no stay has an outcome that the model knows", where=path)
    rows = np.flatnonzero(known)
    stays = stays.take(rows)
    trained = 0
    if folder is not None and (folder / TRAINED).is_file():
        marks = stays.fingerprints()
        trained = int((np.isin(marks, np.load(folder / TRAINED, allow_pickle=False)) & (marks != 0)).sum())
    answer = measure(package, stays, value[rows], control)
    return {"model": f"{package.name} {package.version}", **answer, "trained_on": trained, "findings": findings}


def _run_folder(package: StayPackage) -> Path | None:
    """The folder of the package's run; None where it is not here."""
    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == package.manifest.training.run), None)
    return run.folder if run is not None and run.folder.is_dir() else None
