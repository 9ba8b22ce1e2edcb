"""How well a model does on labelled cases: every metric per structure and case, on the scans' own grids."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.catalog.evaluations import CaseFiles, add_evaluation
from core.control import JobControl
from core.data.case import Case
from core.data.dataset import Dataset, inspect
from core.data.plan import Plan
from core.errors import CatalogError, ConfigError, DatasetError, ModelError, UnsuitableScan
from core.imaging.channels import read_subject
from core.imaging.reader import read
from core.imaging.volume import Volume
from core.inference.assemble import Facts, assemble
from core.inference.kept_predictions import KeptPredictions
from core.inference.package import ModelPackage, find_package
from core.inference.recorded import recorded_split, usual_part
from core.metrics.segmentation import Pair, metrics
from core.metrics.segmentation.summary import summarise

Array = np.ndarray[Any, Any]

TOLERANCE_MM = 1.0
KEPT_OUT = (
    "This is the folder that the model was trained on, so only the part that was kept out is measured; --split all"
    " takes every case."
)


def evaluate(
    run_or_model: str, data: Path, control: JobControl | None = None, *, split: str | None = None,
    device: str = "auto", tolerance_mm: float = TOLERANCE_MM, fresh: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Predict every case of a data set, compare, and record it in the catalog.

    Returns {"id", "model", "split", "metrics", "intervals", "tolerance_mm", "trained_on", "labels", "cases"}.

    run_or_model: a run's id, a model, or a run's name, looked up in this order. split: "train", "val" or "test", that
    part of the recorded split, or "all" cases; None: the test part of the folder that it was trained on where it has
    one, all cases of any other folder. tolerance_mm: how far apart surfaces may lie and still agree.
    fresh: predict every case anew, also where the model's prediction of the same scan was kept.
    Means are over cases, then over structures; the table in core.metrics.segmentation says what a case counts
    where a structure was missed. intervals: the 95 % confidence intervals of the means, by bootstrap over cases.
    trained_on: how many of the cases have the names of cases that the model was trained on.
    Raises DatasetError, ModelError, CatalogError or ConfigError.
    """
    began = time.perf_counter()
    with Catalog() as catalog, tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        run = next((run for run in catalog.runs() if run.id == run_or_model), None)
        if run is None:
            try:
                package = find_package(run_or_model)
            except ModelError as no_model:
                try:
                    run = catalog.run(run_or_model)
                except CatalogError:
                    raise no_model from None
        if run is not None:
            checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
            package = assemble(run, checkpoint, Path(folder), name="run", version="0", facts=Facts())
        part = usual_part(package, Path(data)) if split is None else None if split == "all" else split
        files: dict[str, CaseFiles] = {}
        answer = evaluate_package(
            package, data, control=control, split=part, device=device, tolerance_mm=tolerance_mm, fresh=fresh,
            files=files,
        )  # fmt: skip
        if run is not None:
            answer["model"] = run.id
        id = add_evaluation(
            catalog, model=run.name if run is not None else answer["model"], run=run.id if run is not None else "",
            data=Path(data).absolute(), split=part or "", result=answer, files=files,
            seconds=time.perf_counter() - began,
        )  # fmt: skip
    return {"id": id, "split": part or "all", **answer}


def trained_on_text(answer: dict[str, Any]) -> str:
    """The sentence that has to stand with figures over cases which the model was trained on."""
    return (
        f"{answer['trained_on']} of the {len(answer['cases'])} cases have the names of cases that the model was trained"
        " on, so the figures flatter it."
    )


def worst_first(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases by their mean Dice over structures, the lowest first."""
    return sorted(cases, key=lambda case: sum(case["dice"].values()))


def evaluate_package(
    package: ModelPackage, data: Path, *, control: JobControl | None = None, split: str | None = None,
    device: str = "auto", tolerance_mm: float = TOLERANCE_MM, fresh: bool = False,
    files: dict[str, CaseFiles] | None = None, dataset: Dataset | None = None,
) -> dict[str, Any]:  # fmt: skip
    """As `evaluate`, for a package, without recording it; `files` is filled with each case's files.

    split: None takes all cases. dataset: what `data` holds, where it was checked already.
    """
    control = control or JobControl()
    check_tolerance(tolerance_mm)
    recorded = recorded_split(package)
    if split is not None and recorded is None:
        raise ConfigError(
            f"{package.title} has no recorded split", mend="Evaluate it on all cases of a folder it has not seen."
        )
    if dataset is None:
        dataset = inspect(data, control.part(0.0, 0.1))
        dataset.require_usable()
    if not set(package.plan.values) & {label.value for label in dataset.labels}:
        raise DatasetError("the labels hold none of the structures that the model finds", where=data)
    cases = list(dataset.cases) if split is None else _chosen(dataset, split, recorded or {})
    kept, rows = KeptPredictions(package, fresh=fresh), []
    for number, case in enumerate(cases):
        control.progress(0.1 + 0.9 * number / len(cases), f"Evaluating {case.id} ({number + 1} of {len(cases)})")
        row, prediction = _case(case, package, kept, device, tolerance_mm, control)
        rows.append(row)
        if files is not None:
            files[case.id] = CaseFiles(case.image.absolute(), case.label.absolute(), prediction)
    figures, intervals = summarise(rows, [label.name for label in package.plan.labels])
    trained_on = set((recorded or {}).get("train", ())) & {case.id for case in cases}
    return {
        "model": f"{package.name} {package.version}", "metrics": figures, "intervals": intervals,
        "tolerance_mm": tolerance_mm, "trained_on": len(trained_on),
        "labels": {label.name: label.value for label in package.plan.labels}, "cases": rows,
    }  # fmt: skip


def check_tolerance(tolerance_mm: float) -> None:
    """Raise ConfigError for a tolerance that makes no sense."""
    if not 0 <= tolerance_mm < 1000:
        raise ConfigError(f"a tolerance of {tolerance_mm:g} mm makes no sense", mend="Give a length such as 1.")


def _chosen(dataset: Dataset, split: str, recorded: dict[str, list[str]]) -> list[Case]:
    if split not in recorded:
        raise ConfigError(f"there is no recorded {split} part")
    wanted = set(recorded[split])
    cases = [case for case in dataset.cases if case.id in wanted]
    if len(cases) < len(wanted) or not cases:
        missing = min(wanted - {case.id for case in cases}, default="")
        what = f"{len(wanted) - len(cases)} cases of the {split} part are not in it, such as {missing}"
        raise DatasetError(what if wanted else f"the recorded {split} part is empty", where=dataset.path)
    return cases


def _case(
    case: Case, package: ModelPackage, kept: KeptPredictions, device: str, tolerance_mm: float, control: JobControl
) -> tuple[dict[str, Any], Path | None]:
    """The figures of one case and its prediction. A scan that the model refuses has the worst ones, and says why."""
    volume = read_subject(case.images)
    error, prediction = "", None
    try:
        found, prediction = kept.predict(volume, device, control.silent())
    except UnsuitableScan as refusal:
        error = str(refusal)
        found = np.zeros(volume.grid_shape, np.uint8)
    return measure_case(case, volume, found, package.plan, tolerance_mm, control, error=error), prediction


def measure_case(
    case: Case, volume: Volume, found: Array, plan: Plan, tolerance_mm: float, control: JobControl, *, error: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Every metric of one case, from the label values `found` on its own grid; with an `error` the worst ones."""
    truth = np.rint(read(case.label).values()).astype(np.int32)
    row: dict[str, Any] = {"case": case.id, **({"error": error} if error else {})}
    ignored = plan.ignore_label
    if ignored is not None:
        found = np.where(truth == ignored, 0, found)
    voxel_ml = abs(float(np.linalg.det(volume.affine_ras[:3, :3]))) / 1000
    row |= {key: {} for key in metrics()}
    row |= {"volume_ml": {}, "volume_error_ml": {}, "missed": [], "false_alarms": []}
    for label in plan.labels:
        control.check()
        truly, marked = np.isin(truth, label.values), np.isin(found, label.values)
        pair = Pair(truly, marked, volume.spacing_mm, tolerance_mm)
        for key, metric in metrics().items():
            row[key][label.name] = metric.worst(pair) if "error" in row else metric(pair)
        voxels = int(pair.prediction.sum())
        row["volume_ml"][label.name] = round(voxels * voxel_ml, 4)
        row["volume_error_ml"][label.name] = round((voxels - int(pair.truth.sum())) * voxel_ml, 4)
        if pair.missed:
            row["missed"].append(label.name)
        if pair.false_alarm:
            row["false_alarms"].append(label.name)
    return row
