"""Risk networks whose image encoders begin with pretrained weights instead of random ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import RunRow
from core.control import JobControl
from core.data.check_case import content_of
from core.data.cohort.subject import Cohort
from core.errors import ModelError
from core.imaging.reader import read
from core.imaging.volume import Finding
from core.inference.start import find, recorded
from core.training.origin import Origin, check_overlap, start_text, start_words

KINDS = ("mri", "pet")


def begin_text(
    experiment: Any, cohort: Cohort, test: np.ndarray[Any, Any], control: JobControl
) -> tuple[dict[str, str], list[Finding], list[str]]:
    """What a run's folder keeps of its starts, what was found, and what is said.

    Raises ModelError where a start does not fit, DatasetError where it has seen images of the test part.
    """
    files: dict[str, str] = {}
    findings: list[Finding] = []
    said: list[str] = []
    for kind, origin in _origins(experiment):
        from core.inference.start_weights import read_start

        weights = _fitting(experiment.model, origin, read_start(origin))
        overlap = check_overlap(
            origin, _contents(cohort, test, kind, origin, control), allowed=experiment.task.allow_overlap
        )
        if origin.seen is None:
            text = (
                f"Which scans {origin.title} was trained on is not known; test images were not looked for among them."
            )
            findings.append(Finding("start-unknown", "warning", text))
        findings += overlap
        files[_file(kind)] = start_text(origin, overlap)
        said.append(f"The {kind.upper()} encoder's {len(weights)} tensors are those of {origin.title}.")
    return files, findings, said


def begin(network: Any, experiment: Any, run: RunRow) -> None:
    """Give a new run's encoders the weights that its folder names; nothing where the run goes on.

    Raises ModelError where the weights are gone, were changed or do not fit.
    """
    if run.epoch:
        return
    from core.inference.start_weights import read_start

    for kind in KINDS:
        if (origin := recorded(run.folder, _file(kind))) is not None:
            weights = _fitting(experiment.model, origin, read_start(origin))
            for member in network.members:
                # What belongs to the network's own grid, its places, begins anew.
                (member.mri if kind == "mri" else member.pet).load_state_dict(weights, strict=False)


def words(folder: Path) -> str:
    """What a model card says of the starts of a run's encoders; "" where there were none."""
    said = ((kind, start_words(folder, _file(kind))) for kind in KINDS)
    return " ".join(f"The {kind.upper()} encoder began with the weights of {text}" for kind, text in said if text)


def _origins(experiment: Any) -> Iterator[tuple[str, Origin]]:
    for kind, text in zip(KINDS, (experiment.task.start_mri_from, experiment.task.start_pet_from), strict=True):
        if text is not None:
            yield kind, find(text)


def _fitting(model: Any, origin: Origin, given: Any) -> dict[str, Any]:
    from core.inference.start_weights import of_encoder
    from core.models.nets.swin import SwinEncoder
    from core.models.weights import without_memory

    there = origin.network
    if there is not None and there.name != "swin_unet":
        raise ModelError(
            f"{origin.title} is a {there.name}, which has no encoder of this network's kind", where=origin.file,
            mend="Pretrain with model.name=swin_unet.",
        )  # fmt: skip
    settings = ("width", "depths", "heads", "window")
    encoder = without_memory(lambda: SwinEncoder(**{key: getattr(model, key) for key in settings}))
    differ = (
        [f"model.{key}={getattr(there, key)}" for key in settings if getattr(there, key) != getattr(model, key)]
        if (there is not None)
        else []
    )
    mend = f"Its network has {', '.join(differ)}." if differ else "Start from the encoder of a swin_unet."
    return of_encoder(origin, given, encoder, mend)


def _contents(
    cohort: Cohort, rows: np.ndarray[Any, Any], kind: str, origin: Origin, control: JobControl
) -> dict[str, str]:
    """The contents of the test part's images of a kind, where they can be compared at all."""
    found = {}
    for row in rows if origin.seen is not None else ():
        control.check()
        subject = cohort.subjects[int(row)]
        image = getattr(subject, kind)
        if image is not None:
            found[f"{subject.id} {subject.visit}".strip()] = content_of(read(image, control.silent()).values())
    return found


def _file(kind: str) -> str:
    return f"start-{kind}.json"
