"""What is fitted in a segmentation run: the prepared cases, the network, and the patches it is trained on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import core
from core.catalog import RunRow
from core.control import JobControl
from core.data.case import Case
from core.data.dataset import discover
from core.data.plan import Plan
from core.errors import DatasetError
from core.paths import home
from core.tasks.base import Session
from core.tasks.segmentation.preparing import load_plan, load_split


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where cases of it are gone."""
    from core.data.patches import CaseCache, train_loader, validation_loader
    from core.tasks.segmentation.module import SegmentationModule
    from core.tasks.segmentation.preview import PreviewWriter

    plan, split = load_plan(run.folder), load_split(run.folder)
    _, cases, _ = discover(Path(run.data_path))
    wanted = {id for ids in split.values() for id in ids}
    missing = wanted - {case.id for case in cases}
    if missing:
        raise DatasetError(f"{len(missing)} cases of the run are gone, such as {min(missing)}", where=run.data_path)
    cache = CaseCache(
        cache_folder(run, cases, plan), [c for c in cases if c.id in {*split["train"], *split["val"]}], plan
    )
    cache.fill(control)
    return Session(
        module=SegmentationModule(experiment, plan),
        train=train_loader(cache, split["train"], experiment),
        val=validation_loader(cache, split["val"]),
        callbacks=[PreviewWriter(run.folder)],
        volumes=True,
    )


def cache_folder(run: RunRow, cases: list[Case], plan: Plan) -> Path:
    """Prepared cases are shared by runs on the same files with the same grid and labels."""
    labels = [*plan.values, plan.ignore_label]
    scale = plan.intensities.model_dump() if plan.intensities is not None else None
    key = json.dumps([run.data_path, core.__version__, plan.spacing_mm, labels, scale, plan.channels])
    # All files beside the cases, since the header of a volume may lie in another file than its voxels.
    folders = {file.parent for case in cases for file in (*case.images, case.label)}
    for file in sorted(file for folder in folders for file in folder.iterdir() if not file.name.startswith(".")):
        facts = file.stat()
        key += f"{file.name} {facts.st_size} {facts.st_mtime_ns}"
    return home() / "cache" / hashlib.sha256(key.encode()).hexdigest()[:16]
