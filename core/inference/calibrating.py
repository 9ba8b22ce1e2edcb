"""Fitting the temperature of a package's confidence on cases that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy import ndimage

from core.control import JobControl
from core.data.case import Case
from core.data.dataset import discover
from core.data.plan import Plan
from core.errors import DatasetError, ModelError, UnsuitableScan
from core.imaging.channels import read_subject
from core.imaging.reader import read
from core.inference.assemble import write_manifest
from core.inference.card import write_card
from core.inference.confidence import Calibration, Measured, calibrated
from core.inference.package import ModelPackage
from core.inference.predictor import segment
from core.inference.recorded import folds_of, recorded_split
from core.metrics.calibration import fit_temperature
from core.metrics.classification import calibration_error

Array = np.ndarray[Any, Any]
Item = TypeVar("Item")
Sure = tuple[Array, Array]  # the probability of voxels' labels, and whether they are right

MOST_CASES = 24  # of a part, evenly spread; a single number needs no more
MOST_VOXELS = 20_000  # of a case, drawn
AROUND_VOXELS = 3  # how far around the structures, found or true, voxels count: farther off all models are right
FEWEST_CASES = 4


def with_calibration(package: ModelPackage, data: Path, control: JobControl) -> ModelPackage:
    """The package with its manifest's `calibration`; without one where no cases are left to fit it on.

    Fitted on the validation part of the recorded split and measured on its test part. With one of them alone, each
    half of its cases is measured at the temperature of the other half, and the temperature kept is that of all.
    Raises DatasetError where the data set lacks the cases of the split, ModelError without a recorded split.
    """
    split = recorded_split(package)
    if split is None:
        raise ModelError("the split it was trained with is not known here", where=package.folder)
    plain = _plain(package)
    _, cases, _ = discover(data)
    known = {case.id: case for case in cases}
    wanted = {part: _spread(split.get(part, [])) for part in ("val", "test")}
    if max(map(len, wanted.values())) < FEWEST_CASES:
        return plain
    if missing := [id for ids in wanted.values() for id in ids if id not in known]:
        raise DatasetError(f"{len(missing)} cases of the split are not in it, such as {missing[0]}", where=data)
    asked = [(part, known[id], plain, plain) for part, ids in wanted.items() for id in ids]
    found = _answers(asked, control)
    return _with(package, fitted(found.get("val", []), found.get("test", [])))


def with_calibration_of_folds(
    package: ModelPackage, folds: Sequence[Sequence[str]], data: Path, control: JobControl
) -> ModelPackage:
    """The package of an ensemble with its manifest's `calibration`, fitted on cases that one of its networks left out.

    folds: for each of `package.networks`, the cases that it was not trained on. How sure the ensemble is of them is
    held against whether that network is right. Held against itself, a network is surer than their mean, and its
    temperature would be too high for them. Raises DatasetError where the data set lacks the cases.
    """
    _, cases, _ = discover(data)
    known = {case.id: case for case in cases}
    if missing := [id for ids in folds for id in ids if id not in known]:
        raise DatasetError(f"{len(missing)} cases of the folds are not in it, such as {missing[0]}", where=data)
    plain = _plain(package)
    left_out = [(id, network) for network, ids in zip(plain.networks, folds, strict=True) for id in ids]
    found = _answers([("folds", known[id], plain, network) for id, network in _spread(left_out)], control)
    return _with(package, fitted([], found.get("folds", []), "folds"))


def _plain(package: ModelPackage) -> ModelPackage:
    """The package as its networks answer."""
    return _with(package, None)


def _with(package: ModelPackage, calibration: Calibration | None) -> ModelPackage:
    return replace(package, manifest=package.manifest.model_copy(update={"calibration": calibration}))


def _answers(
    asked: Sequence[tuple[str, Case, ModelPackage, ModelPackage]], control: JobControl
) -> dict[str, list[Sure]]:
    """How sure a package is of a case's voxels and whether another (or the same) is right, by the case's part."""
    found: dict[str, list[Sure]] = {}
    for number, (part, case, package, judged) in enumerate(asked, start=1):
        control.progress((number - 1) / len(asked), f"Calibrating on {case.id} ({number} of {len(asked)})")
        sure = _sure(case, package, judged, np.random.default_rng(number), control.silent())
        if sure is not None and len(sure[0]):
            found.setdefault(part, []).append(sure)
    return found


def record_calibration(package: ModelPackage, data: Path, control: JobControl) -> ModelPackage:
    """The package calibrated, and written so into its manifest and card: as `with_calibration`, or by its folds where
    it is an ensemble without a test part. Raises ModelError for too few cases."""
    if package.pipeline is not None:
        raise ModelError("models of other programs are not calibrated here", where=package.folder)
    folds = None if (recorded_split(package) or {}).get("test") else folds_of(package)
    if folds is None:
        learnt = with_calibration(package, data, control)
    else:
        learnt = with_calibration_of_folds(package, folds, data, control)
    if learnt.manifest.calibration is None:
        raise ModelError(f"it takes {FEWEST_CASES} cases that it was not trained on to calibrate it", where=data)
    write_manifest(package.folder, learnt.manifest)
    write_card(learnt)
    return learnt


def fitted(val: list[Sure], test: list[Sure], last: Measured = "test") -> Calibration | None:
    """The calibration from voxels of validation and test cases; None where there are too few of them.

    last: what the part that the model is measured on is called.
    A temperature that makes nothing better where it was not fitted is not taken: then it is 1.
    """
    part: Measured = "val" if len(val) >= FEWEST_CASES else last
    cases = val if part == "val" else test
    if len(cases) < FEWEST_CASES:
        return None
    temperature = _temperature(cases)
    halves = part == last or not test
    if halves:
        one, other = cases[::2], cases[1::2]
        tempered = [*_tempered(other, _temperature(one)), *_tempered(one, _temperature(other))]
        before, after = _error(cases), _error(tempered)
    else:
        before, after = _error(test), _error(_tempered(test, temperature))
    if after >= before:
        temperature, after = 1.0, before
    return Calibration(
        temperature=round(temperature, 4), fitted_on=part, fitted_cases=len(cases),
        measured_on=part if halves else last, cases=len(cases) if halves else len(test),
        halves=halves, error_before=round(before, 5), error_after=round(after, 5),
    )  # fmt: skip


def written_truth(values: Array, plan: Plan) -> Array:
    """The label map that a perfect model would write for label values: of regions, the last that holds a voxel."""
    truth = np.zeros(values.shape, np.int32)
    for label in plan.labels:
        truth[np.isin(values, label.values)] = label.value
    return truth


def _sure(
    case: Case, package: ModelPackage, judged: ModelPackage, rng: np.random.Generator, control: JobControl
) -> Sure | None:
    """Some voxels in and around the structures of a case: how sure the package is, and whether `judged` is right.

    None for a case that the model refuses.
    """
    volume = read_subject(case.images)
    try:
        answer = segment(volume, package, control=control)
        labels = answer.labels if judged is package else segment(volume, judged, control=control).labels
    except UnsuitableScan:
        return None
    values = np.rint(read(case.label).values()).astype(np.int32)
    truth = written_truth(values, package.plan)
    marked = (truth > 0) | (answer.labels > 0) | (labels > 0)
    places = np.argwhere(marked)
    if not len(places):
        return None
    low, high = np.maximum(places.min(axis=0) - AROUND_VOXELS, 0), places.max(axis=0) + 1 + AROUND_VOXELS
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    near = ndimage.binary_dilation(marked[box], iterations=AROUND_VOXELS)
    if package.plan.ignore_label is not None:
        near &= values[box] != package.plan.ignore_label
    chosen = np.flatnonzero(near)
    if len(chosen) > MOST_VOXELS:
        chosen = rng.choice(chosen, MOST_VOXELS, replace=False)
    right = (truth[box] == labels[box]).ravel()[chosen]
    return answer.certainty[box].ravel()[chosen].astype(np.float64), right


def _together(cases: list[Sure]) -> Sure:
    return np.concatenate([sure for sure, _ in cases]), np.concatenate([right for _, right in cases])


def _temperature(cases: list[Sure]) -> float:
    sure, right = _together(cases)
    return fit_temperature(np.stack([1 - sure, sure], axis=1), right.astype(int))


def _tempered(cases: list[Sure], temperature: float) -> list[Sure]:
    at = Calibration(temperature=temperature, fitted_cases=1, cases=1, error_before=0, error_after=0)
    return [(calibrated(sure, at).astype(np.float64), right) for sure, right in cases]


def _error(cases: list[Sure]) -> float:
    return calibration_error(*_together(cases))


def _spread(cases: list[Item]) -> list[Item]:
    step = max(-(-len(cases) // MOST_CASES), 1)
    return cases[::step]
