"""How well a model does on labelled cases: overlap and volume per structure and case, on the scans' own grids."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.control import JobControl
from core.data.dataset import Case, Dataset, inspect
from core.errors import CatalogError, ConfigError, DatasetError, ModelError, UnsuitableScan
from core.imaging.reader import read
from core.inference.package import ModelPackage, find_package
from core.inference.predictor import segment
from core.tasks.segmentation.metrics import dice, jaccard

Array = np.ndarray[Any, Any]


def evaluate(
    run_or_model: str, data: Path, control: JobControl | None = None, *, split: str | None = None, device: str = "auto"
) -> dict[str, Any]:
    """Predict every case of a data set and compare: {"model", "metrics", "cases"}.

    run_or_model: a run's id, a model, or a run's name, looked up in this order. split: "val" or "test", the part of
    the run's recorded split; without it, all cases. Means are over cases, then over structures; a structure that was
    missed counts as 0, one that is in neither as 1.
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
            return evaluate_package(package, data, control=control, device=device)
        checkpoint = catalog.checkpoint(run.id, "best") or catalog.checkpoint(run.id, "last")
        with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
            package = assemble(run, checkpoint, Path(folder), name="run", version="0", facts=Facts())
            answer = evaluate_package(
                package, data, control=control, split=split, split_of=run.folder, device=device
            )  # fmt: skip
    return {**answer, "model": run.id}


def evaluate_package(
    package: ModelPackage, data: Path, *, control: JobControl | None = None, split: str | None = None,
    split_of: Path | None = None, device: str = "auto",
) -> dict[str, Any]:  # fmt: skip
    """As `evaluate`, for a package; `split_of` is the run's folder that holds the recorded split."""
    control = control or JobControl()
    dataset = inspect(data, control.part(0.0, 0.1))
    dataset.require_usable()
    if not {label.value for label in package.plan.labels} & {label.value for label in dataset.labels}:
        raise DatasetError("the labels hold none of the structures that the model finds", where=data)
    cases = _chosen(dataset, split, split_of)
    rows = []
    for number, case in enumerate(cases):
        control.progress(0.1 + 0.9 * number / len(cases), f"Evaluating {case.id} ({number + 1} of {len(cases)})")
        rows.append(_case(case, package, device, control))
    return {"model": f"{package.name} {package.version}", "metrics": _metrics(rows, package), "cases": rows}


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


def _case(case: Case, package: ModelPackage, device: str, control: JobControl) -> dict[str, Any]:
    """The figures of one case. A scan that the model refuses is a miss, and says why."""
    volume = read(case.image)
    truth = np.rint(read(case.label).values()).astype(np.int32)
    row: dict[str, Any] = {"case": case.id, "dice": {}, "jaccard": {}, "volume_ml": {}, "volume_error_ml": {}}
    try:
        found = segment(volume, package, device=device, control=control.silent()).labels
    except UnsuitableScan as error:
        row["error"] = str(error)
        found = np.zeros(truth.shape, np.uint8)
    voxel_ml = abs(float(np.linalg.det(volume.affine_ras[:3, :3]))) / 1000
    for label in package.plan.labels:
        there, here = truth == label.value, found == label.value
        refused = "error" in row
        row["dice"][label.name] = 0.0 if refused else dice(there, here)
        row["jaccard"][label.name] = 0.0 if refused else jaccard(there, here)
        row["volume_ml"][label.name] = round(int(here.sum()) * voxel_ml, 4)
        row["volume_error_ml"][label.name] = round((int(here.sum()) - int(there.sum())) * voxel_ml, 4)
    return row


def _metrics(rows: list[dict[str, Any]], package: ModelPackage) -> dict[str, float]:
    metrics: dict[str, float] = {}
    names = [label.name for label in package.plan.labels]
    for key in ("dice", "jaccard"):
        values = np.array([[row[key][name] for name in names] for row in rows])
        metrics[f"test/{key}"] = float(values.mean())
        metrics |= {f"test/{key}/{name}": float(v) for name, v in zip(names, values.mean(axis=0), strict=True)}
        spread = values.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(len(names))
        metrics |= {f"test/{key}_sd/{name}": float(v) for name, v in zip(names, spread, strict=True)}
    errors = np.array([[abs(row["volume_error_ml"][name]) for name in names] for row in rows]).mean(axis=0)
    return metrics | {f"test/volume_error_ml/{name}": float(v) for name, v in zip(names, errors, strict=True)}
