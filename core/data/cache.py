"""Prepared cases on disk, so that a second run on the same data begins in seconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import core
from core.control import JobControl
from core.data.case import Case, Scan
from core.data.plan import Plan
from core.data.prepare import prepare, prepare_labels
from core.files import replacing
from core.imaging.channels import read_subject
from core.imaging.reader import read
from core.paths import home

Array = np.ndarray[Any, Any]


def cache_folder(data_path: str, cases: Sequence[Case | Scan], plan: Plan) -> Path:
    """Prepared cases are shared by runs on the same files with the same grid and labels."""
    labels = [*plan.values, plan.ignore_label]
    scale = plan.intensities.model_dump() if plan.intensities is not None else None
    key = json.dumps([data_path, core.__version__, plan.spacing_mm, labels, scale, plan.channels])
    # All files beside the cases, since the header of a volume may lie in another file than its voxels.
    folders = {file.parent for case in cases for file in (*case.images, case.label) if file is not None}
    for file in sorted(file for folder in folders for file in folder.iterdir() if not file.name.startswith(".")):
        facts = file.stat()
        key += f"{file.name} {facts.st_size} {facts.st_mtime_ns}"
    return home() / "cache" / hashlib.sha256(key.encode()).hexdigest()[:16]


class CaseCache:
    """Prepared images (float32) and class maps (uint8) as memory-mapped arrays in a folder."""

    def __init__(self, folder: Path, cases: Sequence[Case | Scan], plan: Plan) -> None:
        self.folder = folder
        self.cases = {case.id: case for case in cases}
        self.plan = plan

    def missing(self) -> list[Case | Scan]:
        """The cases that are not prepared yet."""
        last = ((case, "image" if case.label is None else "label") for case in self.cases.values())
        return [case for case, kind in last if not self._path(case.id, kind).exists()]

    def fill(self, control: JobControl) -> None:
        """Prepare every case that is not there yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = self.missing()
        for number, case in enumerate(missing):
            control.progress(number / len(missing), f"Preparing {case.id} ({number + 1} of {len(missing)})")
            volume = read(case.image, series=case.series) if case.series else read_subject(case.images)
            self._save(case.id, "image", prepare(volume, self.plan).image)
            if case.label is not None:
                self._save(case.id, "label", prepare_labels(read(case.label), self.plan)[None])

    def load(self, id: str) -> tuple[Array, Array]:
        """Image (channels, x, y, z) and class map (1, x, y, z), read-only maps; without labels all is background."""
        image = np.load(self._path(id, "image"), mmap_mode="r")
        if self.cases[id].label is None:
            return image, np.broadcast_to(np.uint8(0), (1, *image.shape[1:]))
        return image, np.load(self._path(id, "label"), mmap_mode="r")

    def _path(self, id: str, kind: str) -> Path:
        return self.folder / f"{id}-{kind}.npy"

    def _save(self, id: str, kind: str, array: Array) -> None:
        with replacing(self._path(id, kind)) as part:
            np.save(part, array)
