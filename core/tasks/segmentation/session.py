"""What is fitted in a segmentation run: the prepared cases, the network, and the patches it is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.catalog import RunRow
from core.control import JobControl
from core.data.dataset import discover
from core.data.plan import load_plan
from core.data.split import load_split
from core.errors import DatasetError
from core.training.given import Session


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where cases of it are gone."""
    from core.data.cache import CaseCache, cache_folder
    from core.data.patches import train_loader, validation_loader
    from core.inference.start_weights import begin
    from core.tasks.segmentation.module import SegmentationModule
    from core.tasks.segmentation.preview import PreviewWriter

    plan, split = load_plan(run.folder), load_split(run.folder)
    _, cases, _ = discover(Path(run.data_path))
    wanted = {id for ids in split.values() for id in ids}
    missing = wanted - {case.id for case in cases}
    if missing:
        raise DatasetError(f"{len(missing)} cases of the run are gone, such as {min(missing)}", where=run.data_path)
    cache = CaseCache(
        cache_folder(run.data_path, cases, plan), [c for c in cases if c.id in {*split["train"], *split["val"]}], plan
    )
    cache.fill(control)
    module = SegmentationModule(experiment, plan)
    begin(module.network, experiment.model, plan.channels, run)
    return Session(
        module=module,
        train=train_loader(cache, split["train"], experiment),
        val=validation_loader(cache, split["val"]),
        callbacks=[PreviewWriter(run.folder)],
        volumes=True,
    )
