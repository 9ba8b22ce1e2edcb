"""A small pretraining of scans without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core import config
from tests.core.making import ball_case, write_nifti


def make_scans(folder: Path, count: int = 6, size: int = 16, first: int = 100) -> Path:
    """Scans of balls in noise, without labels; those of `first` on are other ones than `make_dataset` makes."""
    for number in range(count):
        write_nifti(folder / f"scan_{number:02d}.nii.gz", ball_case(first + number, size)[0])
    return folder


def pretraining(folder: Path, **blocks: dict[str, Any]) -> Any:
    """Settings that train in about a second."""
    trainer = {"epochs": 2, "batch_size": 2, "device": "cpu", "threads": 1, "precision": "32", "patches_per_case": 1,
               "validate_every": 1, "ema": 0.9}  # fmt: skip
    return config.parse(
        {
            "name": "pre",
            "task": {"name": "volume_pretraining"},
            "data": {"path": str(folder), "val_fraction": 0.3, "patch_size": [16, 16, 16]} | blocks.get("data", {}),
            "model": {"name": "unet", "channels": [4, 8, 8]} | blocks.get("model", {}),
            "ssl": {"name": "masked", "block": 4} | blocks.get("ssl", {}),
            "trainer": trainer | blocks.get("trainer", {}),
        }
    )
