"""What is measured on: a large scan and a small data set, both made on the spot and the same every time."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import yaml

LARGE_SHAPE = (512, 512, 400)  # 209.7 MB of int16
BATCH, PATCH, FEATURES = 2, (32, 48, 32), (16, 32, 64, 128)  # of the training that is timed beside nnU-Net's


def large_scan(path: Path) -> Path:
    """An uncompressed int16 NIfTI file: a bright ball in noise, so that every slice holds something."""
    rng = np.random.default_rng(0)
    x, y, z = (np.linspace(-1, 1, n, dtype=np.float32) for n in LARGE_SHAPE)
    voxels = np.empty(LARGE_SHAPE, np.int16, order="F")
    for k, height in enumerate(z):
        inside = x[:, None] ** 2 + y[None, :] ** 2 + height**2 < 0.8
        voxels[..., k] = inside * 600 + rng.integers(0, 200, LARGE_SHAPE[:2])
    nib.save(nib.Nifti1Image(voxels, np.diag([0.7, 0.7, 0.8, 1.0])), path)
    return path


def large_compressed_scan(folder: Path) -> Path:
    """The same as .nii.gz, as fast a compression as most programs write."""
    plain, path = large_scan(folder / "plain.nii"), folder / "large.nii.gz"
    with plain.open("rb") as source, gzip.open(path, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 2**22)
    plain.unlink()
    return path


def small_dataset(folder: Path, cases: int = 24) -> Path:
    """Images and labels of the hippocampus crops' size: two touching balls in noise."""
    rng = np.random.default_rng(0)
    shape = (36, 52, 36)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for case in range(cases):
        centre = np.array([18, 20, 18]) + rng.integers(-3, 4, 3)
        labels = np.zeros(shape, np.uint8)
        labels[np.linalg.norm(grid - centre, axis=-1) < 7] = 1
        labels[np.linalg.norm(grid - centre - [0, 12, 0], axis=-1) < 6] = 2
        image = (labels * 100 + rng.normal(200, 40, shape)).astype(np.float32)
        for part, voxels in (("images", image), ("labels", labels)):
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / part / f"case_{case:03d}.nii.gz")
    return folder


def scene(shape: tuple[int, int, int], seed: int) -> tuple[Any, Any]:
    """A volume of any size and its labels: a pair of touching balls in each cell of 32 voxels, in noise."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    near = np.stack(np.meshgrid(*[np.arange(-8, 9)] * 3, indexing="ij"), axis=-1)
    for cell in np.ndindex(*(n // 32 for n in shape)):
        centre = np.array(cell) * 32 + [12, 16, 16] + rng.integers(-3, 4, 3)
        for label, (offset, radius) in enumerate([([0, 0, 0], 7), ([8, 0, 0], 5)], start=1):
            inside = near[np.linalg.norm(near, axis=-1) < radius] + centre + offset
            labels[tuple(np.clip(inside, 0, np.array(shape) - 1).T)] = label
    image = labels * np.float32(100) + rng.normal(200, 40, shape).astype(np.float32)
    return image, labels


def scene_dataset(folder: Path, cases: int = 6) -> Path:
    """Images and labels of `scene`, 64 voxels a side."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for case in range(cases):
        for part, voxels in zip(("images", "labels"), scene((64, 64, 64), case), strict=True):
            nib.save(nib.Nifti1Image(voxels, np.eye(4)), folder / part / f"scene_{case:03d}.nii.gz")
    return folder


def experiment(path: Path, data: Path, patch: tuple[int, int, int] = (32, 48, 32), **trainer: Any) -> Path:
    """A small U-Net on a data set; `trainer` are keys of the section of that name."""
    tree = {
        "name": "benchmark",
        "data": {"path": str(data), "patch_size": list(patch), "spacing_mm": [1.0, 1.0, 1.0]},
        "model": {"name": "unet", "channels": [16, 32, 64, 128]},
        "trainer": {"batch_size": 2, "patches_per_case": 1, "validate_every": 5, **trainer},
    }
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path
