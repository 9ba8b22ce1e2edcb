"""A subject's MRI and PET on a model's grid, kept in a folder so that they are made once.

An image whose file says that it lies in template space is only brought to the grid; any other is prepared first
(`core.imaging.preparation`): bias field, registration, brain mask.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.data.cohort.images import content_of, in_template_space
from core.data.cohort.subject import Grid, Subject
from core.files import whole_file
from core.imaging.mni import tissues
from core.imaging.normalise import normalised_mri, on_grid, suvr
from core.imaging.reader import read
from core.imaging.volume import Volume

Array = np.ndarray[Any, Any]

# Rises whenever a volume is made otherwise than before: what was kept until then is made again.
VERSION = 1
_ENDING = ".npy"


def volumes(subject: Subject, grid: Grid, control: JobControl, cache_folder: Path) -> tuple[Array | None, Array | None]:
    """A subject's MRI and PET, each (x, y, z) float32 on the grid, or None where it is missing.

    MRI: zero mean and unit deviation inside the brain, 0 outside of it. PET: uptake relative to the reference region
    (SUVR), 0 outside of the brain. Raises UnreadableScan, RegistrationFailed, UnsuitableScan.
    """
    mri = _kept(subject, "mri", grid, control.part(0.0, 0.6), cache_folder)
    pet = _kept(subject, "pet", grid, control.part(0.6, 1.0), cache_folder)
    return mri, pet


def _kept(subject: Subject, kind: str, grid: Grid, control: JobControl, cache_folder: Path) -> Array | None:
    image: Path | None = getattr(subject, kind)
    if image is None:
        return None
    control.check()
    # The PET of a raw pair is placed by its MRI, so it depends on both.
    contents = [_content(subject, name, control) for name in ("mri", "pet")[: 1 if kind == "mri" else 2]]
    key = repr((VERSION, kind, contents, grid.shape, tuple(float(s) for s in grid.spacing_mm)))
    file = cache_folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}{_ENDING}"
    found = _load(file, grid)
    if found is None:
        found = _made(read(image, control.silent()), kind, subject, grid, control, cache_folder)
        _save(file, found)
    return found


def _content(subject: Subject, kind: str, control: JobControl) -> str:
    """The content of an image, looked up or read; "" where there is none."""
    image: Path | None = getattr(subject, kind)
    if image is None:
        return ""
    return subject.contents.get(kind) or content_of(read(image, control.silent()))


def _made(volume: Volume, kind: str, subject: Subject, grid: Grid, control: JobControl, cache_folder: Path) -> Array:
    where = volume.source.path
    if not in_template_space(volume):
        from core.imaging.preparation.prepare import prepare

        pet = subject.pet if kind == "pet" else None
        ready = prepare(subject.mri, pet, cache_folder / "prepared", control)
        volume = read(ready.mri if kind == "mri" else ready.pet)  # type: ignore[arg-type]
    control.progress(None, f"Bringing the {kind.upper()} to the grid")
    tissues(grid, control.silent())
    values = on_grid(volume, grid, control.silent())
    return normalised_mri(values, grid, where) if kind == "mri" else suvr(values, grid, where)


def _load(file: Path, grid: Grid) -> Array | None:
    with contextlib.suppress(OSError, ValueError, EOFError):
        found = np.load(file, allow_pickle=False)
        if found.shape == grid.shape and found.dtype == np.float32:
            return np.asarray(found)
    return None


def _save(file: Path, found: Array) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as stream:
        np.save(stream, found, allow_pickle=False)
