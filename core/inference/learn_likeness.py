"""Learning what the training scans of a package looked like, from its data set and its recorded split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.control import JobControl
from core.data.dataset import discover
from core.data.prepare import prepare
from core.errors import DatasetError, ModelError
from core.imaging.channels import read_subject
from core.inference.assemble import write_manifest
from core.inference.likeness import FEWEST, Array, learn, lowest_value
from core.inference.package import ModelPackage
from core.inference.recorded import recorded_split

MOST_SCANS = 300  # evenly spread over the training part; more tell no more


def with_likeness(package: ModelPackage, data: Path, control: JobControl) -> ModelPackage:
    """The package with its manifest's `likeness`; unchanged where its training scans are too few to tell.

    Raises DatasetError where the data set lacks the cases of the split, ModelError without a recorded split.
    """
    split = recorded_split(package)
    if split is None:
        raise ModelError("the split it was trained with is not known here", where=package.folder)
    _, cases, _ = discover(data)
    images = {case.id: case.images for case in cases}
    wanted = [_spread(split.get(part, [])) for part in ("train", "val")]
    if missing := [case for part in wanted for case in part if case not in images]:
        raise DatasetError(f"{len(missing)} cases of the split are not in it, such as {missing[0]}", where=data)
    found: list[list[Array]] = [[], []]
    lowest: list[float] = []
    total = sum(map(len, wanted))
    for part, ids in enumerate(wanted):
        for case in ids:
            control.progress(len(lowest) / total, f"Looking at {case}")
            volume = read_subject(images[case])
            found[part].append(prepare(volume, package.plan).image[0])
            lowest.append(lowest_value(volume))
    likeness = learn(found[0], found[1], min(lowest)) if len(found[0]) >= FEWEST else None
    return replace(package, manifest=package.manifest.model_copy(update={"likeness": likeness}))


def record_likeness(package: ModelPackage, data: Path, control: JobControl) -> ModelPackage:
    """As `with_likeness`, written into the package's manifest. Raises ModelError where the scans are too few."""
    learnt = with_likeness(package, data, control)
    if learnt.manifest.likeness is None:
        raise ModelError(f"fewer than {FEWEST} training scans tell too little", where=data)
    write_manifest(package.folder, learnt.manifest)
    return learnt


def _spread(cases: list[str]) -> list[str]:
    step = max(-(-len(cases) // MOST_SCANS), 1)
    return cases[::step]
