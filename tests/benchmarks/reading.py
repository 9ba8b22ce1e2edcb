"""How fast and in how much memory scans are read, each beside the library that most programs read them with."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from core.imaging.reader import read
from tests.benchmarks.materials import LARGE_SHAPE, large_compressed_scan
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.window import CHECKOUT
from tests.core.imaging.conftest import make_slice

SLICES = 300
_MEMORY = """
import json, sys
from pathlib import Path
from core.imaging.reader import read
def most():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
read(Path(sys.argv[1]))  # a small scan: what is imported and kept by itself
before = most()
handed_over = []
volume = read(Path(sys.argv[2]), early=handed_over.append)  # as the window reads it
print(json.dumps({"taken": most() - before, "native": volume.voxels.nbytes}))
"""


def loading(folder: Path, *, quick: bool) -> list[Figure]:
    """A large compressed NIfTI file, all of it, against nibabel; and the memory that it takes."""
    path = large_compressed_scan(folder)
    ours, theirs = _turns(2 if quick else 5, lambda: read(path).voxels, lambda: np.asanyarray(nib.load(path).dataobj))
    detail = {"ours": median_of(ours), "nibabel": median_of(theirs), "scan": " x ".join(map(str, LARGE_SHAPE))}
    ratio = min(ours) / min(theirs)
    figures = [Figure("209 MB of .nii.gz loaded, of nibabel's time", ratio, "x", 0.5, detail=detail)]
    return figures + _memory(folder, "a .nii.gz file", path)


def series(folder: Path, *, quick: bool) -> list[Figure]:
    """A DICOM series of 300 slices against SimpleITK's series reader; and the memory that it takes."""
    scan = folder / "series"
    scan.mkdir()
    rng = np.random.default_rng(0)
    for k in range(SLICES):
        pixels = rng.integers(-1000, 1000, (512, 512)).astype(np.int16)
        made = make_slice((-180, -180, k), k + 1, pixels, PixelSpacing=[0.7, 0.7], RescaleIntercept=0)
        made.save_as(scan / f"{k:04d}.dcm", enforce_file_format=True)
    figures = _memory(folder, f"{SLICES} DICOM slices", scan)
    try:
        import SimpleITK as sitk
    except ImportError:
        print("SimpleITK is not installed: the series is not compared with its reader", file=sys.stderr)
        return figures

    def itk() -> Any:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(scan)))
        return reader.Execute()

    def voxels_of(image: Any) -> Any:
        return sitk.GetArrayFromImage(image).T

    ours, theirs = _turns(2 if quick else 7, lambda: read(scan).voxels, itk, voxels_of)
    detail = {"ours": median_of(ours), "SimpleITK": median_of(theirs)}
    ratio = min(ours) / min(theirs)
    return [*figures, Figure(f"{SLICES} DICOM slices, of SimpleITK's time", ratio, "x", 0.7, detail=detail)]


def _turns(
    count: int, ours: Callable[[], Any], theirs: Callable[[], Any], voxels_of: Callable[[Any], Any] = np.asarray
) -> tuple[list[float], list[float]]:
    """The seconds of both, taking turns, after a first time that fills the disk cache; they must read the same.

    The shortest of each is compared: what else the computer does only makes a time longer.
    """
    if not np.array_equal(ours(), voxels_of(theirs())):
        raise RuntimeError("the two readers read different voxels")
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for call, seconds in zip((ours, theirs), taken, strict=True):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return taken


def _memory(folder: Path, what: str, scan: Path) -> list[Figure]:
    """The most memory taken while a scan is read, of what its voxels need."""
    if not sys.platform.startswith("linux"):
        return []  # elsewhere a process does not know its own peak
    small = folder / ("small.nii.gz" if scan.is_file() else "small")
    if scan.is_file():
        nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), small)
    else:
        small.mkdir()
        make_slice((0, 0, 0), 1, np.zeros((4, 4), np.int16)).save_as(small / "a.dcm", enforce_file_format=True)
    command = [sys.executable, "-c", _MEMORY, str(small), str(scan)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"reading in a process of its own: {done.stderr[-1000:]}")
    found = json.loads(done.stdout)
    return [Figure(f"memory to read {what}, of its voxels", found["taken"] / found["native"], "x", 1.15, detail=found)]
