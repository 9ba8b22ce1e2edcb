"""One subject's raw MRI and PET brought to template space: how long it takes, and how soon a cancel ends it."""

from __future__ import annotations

import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.control import JobControl
from core.errors import Cancelled
from tests.benchmarks.report import Figure
from tests.conftest import shared_data

SECONDS, WAIT_S = 90.0, 0.5
CANCELLED_AT = (0.02, 0.2, 0.5, 0.75)  # of the way


class Looks(threading.Event):
    """A request to cancel that knows when it was looked for, and in which step.

    waits: seconds from one look to the next, processor seconds of the same, and the step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step = ""
        self.last = time.perf_counter(), time.process_time()
        self.waits: list[tuple[float, float, str]] = []

    def is_set(self) -> bool:
        now = time.perf_counter(), time.process_time()
        self.waits.append((now[0] - self.last[0], now[1] - self.last[1], self.step))
        self.last = now
        return super().is_set()


def preparing(folder: Path, *, quick: bool) -> list[Figure]:
    """The whole way of one subject, all times between two looks for a cancel, and cancels at several places."""
    from core.imaging.preparation.prepare import GRID, prepare

    mri, pet, told = _pair(folder)
    looks = Looks()

    def listen(_fraction: float | None, message: str) -> None:
        looks.step = message

    began = looks.last = time.perf_counter(), time.process_time()
    prepare(mri, pet, folder / "whole", JobControl(listen, looks))
    seconds, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    by_processor = sorted(looks.waits, key=lambda wait: wait[1], reverse=True)
    longest = [*sorted(looks.waits, reverse=True)[:3], *by_processor[:5]]
    shares = CANCELLED_AT[:1] if quick else CANCELLED_AT
    waits = {str(share): _cancelled(mri, pet, folder / f"cancelled-{share}", share) for share in shares}
    worst = max([longest[0][0], *waits.values()])
    detail = {
        "images": told, "grid": list(GRID.shape), "cancelled_at": waits, "processor_s": round(processor, 1),
        "longest_between_looks": [
            {"seconds": round(wait, 3), "processor_s": round(processor, 3), "step": step}
            for wait, processor, step in longest
        ],
    }  # fmt: skip
    return [
        Figure("raw MRI and PET of a subject to template space", seconds, "s", SECONDS, detail=detail),
        Figure("the same cancelled, longest wait", worst, "s", WAIT_S),
    ]


def _cancelled(mri: Path, pet: Path, folder: Path, share: float) -> float:
    """Seconds from a cancel at a share of the way until the work has ended."""
    asked = 0.0
    control = JobControl()

    def listen(fraction: float | None, _message: str) -> None:
        nonlocal asked
        if not asked and (fraction or 0.0) >= share:
            # From another thread and a little later, as a person would: in the midst of a step.
            asked = time.perf_counter() + 0.2
            threading.Timer(0.2, control.cancel).start()

    control.listener = listen
    from core.imaging.preparation.prepare import prepare

    try:
        prepare(mri, pet, folder, control)
    except Cancelled:
        return time.perf_counter() - asked
    raise RuntimeError(f"preparing was over before it could be cancelled at {share:.0%}")


def _pair(folder: Path) -> tuple[Path, Path, str]:
    """The simulated pair of DICOM series of 256 x 256 x 258 voxels; where it is not there, a turned head."""
    source = shared_data() / "brain_pet_mr_simulated"
    if source.is_dir():
        for name in ("t1", "osem"):
            with tarfile.open(source / f"brainweb_06_{name}_dcm.tar.gz") as archive:
                archive.extractall(folder / name, filter="data")
        return folder / "t1", folder / "osem", "BrainWeb 06, simulated T1 and PET, DICOM, 256 x 256 x 258 of 1 mm"
    import nibabel as nib
    from scipy import ndimage

    from core.imaging.mni import Grid, tissues

    grid = Grid((200, 240, 200), (1.0, 1.0, 1.0))
    known = tissues(grid)
    angle = np.deg2rad(8)
    moved = np.eye(4)
    moved[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    moved[:3, 3] = 10, -6, 25
    noise = 5 * np.random.default_rng(0).random(grid.shape)
    heads: dict[str, Any] = {
        "t1": 1000 * known.white + 650 * known.grey + 250 * known.fluid + noise,
        "pet": ndimage.gaussian_filter(5000 * known.grey + 1500 * known.white, 2.5),
    }
    for name, head in heads.items():
        nib.save(nib.Nifti1Image(head.astype(np.float32), moved @ grid.affine_ras), folder / f"{name}.nii.gz")
    return folder / "t1.nii.gz", folder / "pet.nii.gz", "the template's head, turned, 200 x 240 x 200 of 1 mm"
