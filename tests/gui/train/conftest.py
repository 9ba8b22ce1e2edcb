"""A shared context, a tiny data set that trains in seconds, and runs written by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PySide6.QtCore import QSettings

from core import config
from core.catalog import Catalog
from core.paths import runs_folder
from gui.context import AppContext


@pytest.fixture
def context(qapp: object, tmp_path: Path) -> Iterator[AppContext]:
    made = AppContext(settings=QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    yield made
    assert made.close()


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """Six scans of 16 voxels a side with a bright ball to find."""
    folder = tmp_path / "balls"
    grid = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"))
    draw = np.random.default_rng(3)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for case in range(6):
        centre = draw.integers(6, 10, 3)[:, None, None, None]
        ball = ((grid - centre) ** 2).sum(axis=0) < 16
        image = (ball * 300 + draw.normal(100, 20, ball.shape)).astype(np.float32)
        nib.save(nib.Nifti1Image(image, np.eye(4)), folder / "images" / f"case_{case}.nii.gz")
        nib.save(nib.Nifti1Image(ball.astype(np.uint8), np.eye(4)), folder / "labels" / f"case_{case}.nii.gz")
    return folder


@pytest.fixture
def tiny_tree(tiny_data: Path) -> dict[str, object]:
    """An experiment on the tiny data set: two epochs of a very small network."""
    return {
        "name": "balls",
        "data": {"path": str(tiny_data), "patch_size": [16, 16, 16], "val_fraction": 0.34},
        "model": {"name": "unet", "channels": [4, 8, 8]},
        "trainer": {
            "epochs": 2, "batch_size": 2, "patches_per_case": 1, "validate_every": 1, "ema": 0.0, "device": "cpu",
            "threads": 1,
        },
    }  # fmt: skip


@pytest.fixture
def write_run() -> Callable[..., str]:
    """Writes a run with its metrics into the catalog, as the engine does."""

    def write(
        id: str = "run-1", *, name: str = "first", state: str = "finished", epochs: int = 3, dice: float = 0.8
    ) -> str:
        experiment = config.parse(
            {"name": name, "trainer": {"epochs": epochs}, "optimizer": {"name": "adamw", "lr": round(dice / 100, 4)}}
        )
        folder = runs_folder() / id
        (folder / "previews").mkdir(parents=True)
        with Catalog() as catalog:
            catalog.add_run(
                id=id, name=name, task="segmentation", config=config.to_yaml(experiment), data_path="/data/balls",
                folder=folder, epochs=epochs,
            )  # fmt: skip
            points = []
            for epoch in range(epochs):
                for step in range(4):
                    at = 1000.0 + epoch * 10 + step
                    points += [("train/loss", epoch * 4 + step + 1, epoch, 1 / (epoch * 4 + step + 1), at)]
                    points += [("lr", epoch * 4 + step + 1, epoch, 1e-3, at)]
                end = 1000.0 + epoch * 10 + 9
                for key, value in {
                    "val/loss": 0.5, "val/dice": dice * (epoch + 1) / epochs, "val/dice/anterior": dice,
                    "val/dice/posterior": dice - 0.1, "train/samples_per_s": 8.0,
                }.items():  # fmt: skip
                    points.append((key, (epoch + 1) * 4, epoch, value, end))
                preview(folder, epoch + 1)
            catalog.add_metrics(id, points)
            catalog.add_event(id, "info", "Data ready.")
            live = state in ("running", "paused")
            ended = None if live else 1090.0
            catalog.update_run(
                id, state=state, epoch=epochs, started=time.time() if live else 1000.0, ended=ended,
                error="out of memory" if state == "failed" else None, summary={"val/dice": dice},
            )  # fmt: skip
        return id

    return write


def preview(folder: Path, epoch: int) -> None:
    truth = np.zeros((20, 24), np.uint8)
    truth[5:10, 6:14] = 1
    truth[10:14, 6:14] = 2
    image = np.random.default_rng(epoch).normal(100, 20, truth.shape).astype(np.float32)
    np.savez(
        folder / "previews" / f"epoch_{epoch:04d}.npz", image=image, truth=truth, prediction=np.roll(truth, 1, 0),
        dice=0.8, case=f"case_{epoch}",
    )  # fmt: skip
