"""What is fitted in a pretraining on scans: the prepared scans, the network, and what is hidden of their patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.catalog import RunRow
from core.control import JobControl
from core.data.plan import load_plan
from core.data.split import load_split
from core.errors import DatasetError
from core.tasks.volume_pretraining.scans import find
from core.training.given import Session


def session(experiment: Any, run: RunRow, control: JobControl) -> Session:
    """The module and batches of a prepared run. Raises DatasetError where scans of it are gone."""
    from core.data.cache import CaseCache, cache_folder
    from core.tasks.volume_pretraining.module import PretrainingModule
    from core.tasks.volume_pretraining.patches import loaders
    from core.tasks.volume_pretraining.preview import PreviewWriter

    plan, split = load_plan(run.folder), load_split(run.folder)
    _, scans, _ = find(Path(run.data_path), control)
    wanted = {*split["train"], *split["val"]}
    if missing := wanted - {scan.id for scan in scans}:
        raise DatasetError(f"{len(missing)} scans of the run are gone, such as {min(missing)}", where=run.data_path)
    used = [scan for scan in scans if scan.id in wanted]
    cache = CaseCache(cache_folder(run.data_path, used, plan), used, plan)
    cache.fill(control)
    atlas = experiment.ssl.guide(cache, split, run.folder, experiment.seed, control)
    train, val = loaders(cache, split, experiment, atlas)
    return Session(PretrainingModule(experiment, plan), train, val, [PreviewWriter(run.folder)], volumes=True)
