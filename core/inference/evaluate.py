"""How well a model does on labelled cases: every metric per structure and case, on the scans' own grids."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.control import JobControl
from core.data.dataset import Case, Dataset, inspect
from core.data.plan import Plan
from core.errors import CatalogError, ConfigError, DatasetError, ModelError, UnsuitableScan
from core.imaging.reader import read
from core.imaging.volume import Volume
from core.inference.package import ModelPackage, find_package
from core.inference.predictor import segment
from core.tasks.segmentation.metrics import Pair, metrics
from core.tasks.segmentation.metrics.summary import summarise

Array = np.ndarray[Any, Any]

TOLERANCE_MM = 1.0


def evaluate(
    run_or_model: str, data: Path, control: JobControl | None = None, *, split: str | None = None,
    device: str = "auto", tolerance_mm: float = TOLERANCE_MM,
) -> dict[str, Any]:  # fmt: skip
    """Predict every case of a data set and compare: {"model", "metrics", "intervals", "tolerance_mm", "cases"}.

    run_or_model: a run's id, a model, or a run's name, looked up in this order. split: "val" or "test", the part of
    the run's recorded split; without it, all cases. tolerance_mm: how far apart surfaces may lie and still agree.
    Means are over cases, then over structures; the table in core.tasks.segmentation.metrics says what a case counts
    where a structure was missed. intervals: the 95 % confidence intervals of the means, by bootstrap over cases.
    Raises DatasetError, ModelError, CatalogError or ConfigError.
    """
    from core.inference.assemble import Facts, assemble

    with Catalog() as catalog:
        run = next((run for run in catalog.runs() if run.id == run_or_model), None)
        if run is None:
            try:
                package = find_package(run_or_model)
            except ModelError as no_model:
                try:
                    run = catalog.run(run_or_model)
                except CatalogError:
                    raise no_model from None
        if run is None:
            if split is not None:
                raise ConfigError("only a run has a recorded split", mend="Give the run instead of the model.")
            return evaluate_package(package, data, control=control, device=device, tolerance_mm=tolerance_mm)
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
        with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
            package = assemble(run, checkpoint, Path(folder), name="run", version="0", facts=Facts())
            answer = evaluate_package(
                package, data, control=control, split=split, split_of=run.folder, device=device,
                tolerance_mm=tolerance_mm,
            )  # fmt: skip
    return {**answer, "model": run.id}


def evaluate_package(
    package: ModelPackage, data: Path, *, control: JobControl | None = None, split: str | None = None,
    split_of: Path | None = None, device: str = "auto", tolerance_mm: float = TOLERANCE_MM,
    dataset: Dataset | None = None,
) -> dict[str, Any]:  # fmt: skip
    """As `evaluate`, for a package; `split_of` is the run's folder that holds the recorded split.

    dataset: what `data` holds, where it was checked already.
    """
    control = control or JobControl()
    check_tolerance(tolerance_mm)
    if dataset is None:
        dataset = inspect(data, control.part(0.0, 0.1))
        dataset.require_usable()
    if not {label.value for label in package.plan.labels} & {label.value for label in dataset.labels}:
        raise DatasetError("the labels hold none of the structures that the model finds", where=data)
    cases = _chosen(dataset, split, split_of)
    rows = []
    for number, case in enumerate(cases):
        control.progress(0.1 + 0.9 * number / len(cases), f"Evaluating {case.id} ({number + 1} of {len(cases)})")
        rows.append(_case(case, package, device, tolerance_mm, control))
    figures, intervals = summarise(rows, [label.name for label in package.plan.labels])
    return {
        "model": f"{package.name} {package.version}", "metrics": figures, "intervals": intervals,
        "tolerance_mm": tolerance_mm, "cases": rows,
    }  # fmt: skip


def check_tolerance(tolerance_mm: float) -> None:
    """Raise ConfigError for a tolerance that makes no sense."""
    if not 0 <= tolerance_mm < 1000:
        raise ConfigError(f"a tolerance of {tolerance_mm:g} mm makes no sense", mend="Give a length such as 1.")


def _chosen(dataset: Dataset, split: str | None, split_of: Path | None) -> list[Case]:
    if split is None:
        return list(dataset.cases)
    if split_of is None:
        raise ConfigError("only a run has a recorded split")
    try:
        wanted = set(json.loads((split_of / "split.json").read_text(encoding="utf-8"))[split])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"the run has no recorded {split} part", where=split_of) from error
    cases = [case for case in dataset.cases if case.id in wanted]
    if len(cases) < len(wanted) or not cases:
        missing = min(wanted - {case.id for case in cases}, default="")
        what = f"{len(wanted) - len(cases)} cases of the {split} part are not in it, such as {missing}"
        raise DatasetError(what if wanted else f"the run's {split} part is empty", where=dataset.path)
    return cases


def _case(
    case: Case, package: ModelPackage, device: str, tolerance_mm: float, control: JobControl
) -> dict[str, Any]:  # fmt: skip
    """The figures of one case. A scan that the model refuses has the worst ones, and says why."""
    volume = read(case.image)
    error = ""
    try:
        found = segment(volume, package, device=device, control=control.silent()).labels
    except UnsuitableScan as refusal:
        error = str(refusal)
        found = np.zeros(volume.grid_shape, np.uint8)
    return measure_case(case, volume, found, package.plan, tolerance_mm, control, error=error)


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
        pair = Pair(truth == label.value, found == label.value, volume.spacing_mm, tolerance_mm)
        for key, metric in metrics().items():
            row[key][label.name] = metric.worst(pair) if "error" in row else metric(pair)
        marked = int(pair.prediction.sum())
        row["volume_ml"][label.name] = round(marked * voxel_ml, 4)
        row["volume_error_ml"][label.name] = round((marked - int(pair.truth.sum())) * voxel_ml, 4)
        if pair.missed:
            row["missed"].append(label.name)
        if pair.false_alarm:
            row["false_alarms"].append(label.name)
    return row
