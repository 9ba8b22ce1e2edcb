"""Small real data sets for tests: bright balls in noise, written as NIfTI files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

# Settings that make a network small; one that is not named here is tested as it comes.
TINY: dict[str, dict[str, Any]] = {
    "dformer": {"width": 8, "depths": [2, 2], "heads": [2, 4], "patch": [2, 2, 2], "group": [4, 4, 2]},
    "nnunet": {
        "features": [4, 8],
        "blocks": [1, 2],
        "decoder_blocks": [1],
        "kernels": [[3, 3, 1], [3, 3, 3]],
        "strides": [[1, 1, 1], [2, 2, 1]],
    },
    "segresnet": {"width": 8, "blocks": [1, 1]},
    "swinunetr": {"width": 12, "heads": [1, 2, 4, 8], "depths": [2, 1, 1, 1], "window": 3},
    "unet": {"channels": [4, 8, 8]},
    "unetr": {"hidden": 24, "mlp": 48, "heads": 2, "width": 4, "grid": [2, 1, 1]},
}


def write_nifti(path: Path, array: np.ndarray[Any, Any], affine: np.ndarray[Any, Any] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def ball_case(seed: int, size: int = 16) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """An image with a bright and a brighter ball, and its label map."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"))
    label = np.zeros((size,) * 3, np.uint8)
    for value, x in ((1, size * 0.3), (2, size * 0.7)):
        centre = np.array([x, *rng.uniform(size * 0.4, size * 0.6, 2)])
        label[((grid - centre.reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < (size * 0.2) ** 2] = value
    image = (rng.normal(0, 10, label.shape) + 60.0 * label).astype(np.float32)
    return image, label


def make_dataset(folder: Path, cases: int = 6, size: int = 16, names: tuple[str, str] = ("images", "labels")) -> Path:
    for number in range(cases):
        image, label = ball_case(number, size)
        write_nifti(folder / names[0] / f"ball_{number:02d}.nii.gz", image)
        write_nifti(folder / names[1] / f"ball_{number:02d}.nii.gz", label)
    return folder


def tiny_experiment(folder: Path, **trainer: Any) -> Any:
    """Settings that train in about a second."""
    from core import config

    # One precision: what a probe finds fastest is another one on another day.
    settings = {"epochs": 2, "batch_size": 2, "device": "cpu", "threads": 1, "precision": "32", **trainer}
    settings = {"patches_per_case": 1, "validate_every": 1, "ema": 0.999, **settings}
    return config.parse(
        {
            "name": "tiny",
            "data": {"path": str(folder), "val_fraction": 0.3, "patch_size": [16, 16, 16]},
            "model": {"name": "unet", "channels": [4, 8, 8]},
            "trainer": settings,
        }
    )


def networks_of_slices() -> list[str]:
    """The registered networks that can see slices one by one."""
    from core import registry

    return sorted(name for name, part in registry.parts("model").items() if "slices" in part.model_fields)
