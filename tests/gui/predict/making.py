"""Small real parts for the tests of predictions: a package with random weights, and scans as NIfTI files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

from core.catalog import Catalog, PredictionRow
from core.imaging.volume import Volume
from core.imaging.writer import write_segmentation

TURN = np.array([[-1.0, 0, 0], [0, 0.995004, -0.099833], [0, 0.099833, 0.995004]])  # 5.7 degrees about x
TILTED = np.eye(4)
TILTED[:3] = np.column_stack([TURN * (1.2, 1.0, 1.1), (20, -15, -10)])


def make_package(home: Path, *, name: str = "tiny", simulated: bool = False) -> Path:
    """A package of a small U-Net with random weights under the home's models."""
    import torch
    from safetensors.torch import save

    from core.models.unet import UNetConfig
    from core.models.weights import own_tensors

    torch.manual_seed(7)
    network = UNetConfig(channels=[2, 2, 4])
    weights = save({key: value.clone() for key, value in own_tensors(network.build(1, 3)).items()})
    manifest = {
        "name": name, "version": "1.0", "title": name.capitalize(), "network": network.model_dump(),
        "plan": {
            "spacing_mm": [1.0, 1.0, 1.0], "patch_size": [16, 16, 16],
            "labels": [{"value": 1, "name": "Anterior, left"}, {"value": 2, "name": "Posterior, right"}],
        },
        "training": {
            "data": "twelve made-up cases", "licence": "CC0", "cases": {"train": 10, "val": 2}, "simulated": simulated,
            "dice": {"Anterior, left": {"mean": 0.91, "sd": 0.02}, "Posterior, right": {"mean": 0.87, "sd": 0.03}},
        },
        "sha256": hashlib.sha256(weights).hexdigest(),
    }  # fmt: skip
    folder = home / "models" / f"{name}-1.0"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(weights)
    (folder / "card.md").write_text(f"# {name.capitalize()}\n\nFor tests only.\n\n![away](https://example.org/a.png)\n")
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest))
    return folder


def make_scan(
    path: Path, *, shape: tuple[int, int, int] = (20, 18, 16), affine: np.ndarray = TILTED, seed: int = 0
) -> Path:
    """A blob in noise, stored as int16."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    blob = 800 * np.exp(-4 * (grid**2).sum(axis=0)) + np.random.default_rng(seed).normal(0, 30, shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(blob.astype(np.int16), affine), path)
    return path


def store_prediction(catalog: Catalog, scan: Volume, out: Path, *, seed: int = 0) -> PredictionRow:
    """A segmentation file and its row in the catalog, without a network."""
    labels = np.random.default_rng(seed).integers(0, 3, scan.grid_shape).astype(np.uint8)
    out.mkdir(parents=True, exist_ok=True)
    output = out / f"{scan.name}_seg.nii.gz"
    sha256 = write_segmentation(output, labels, scan)
    voxel_ml = abs(np.linalg.det(scan.affine_ras[:3, :3])) / 1000
    structures = [
        {"label": value, "name": name, "voxels": int((labels == value).sum()), "confidence": 0.9,
         "volume_ml": float((labels == value).sum() * voxel_ml)}
        for value, name in ((1, "Anterior, left"), (2, "Posterior, right"))
    ]  # fmt: skip
    row = catalog.add_prediction(
        scan=scan.source.path, model="tiny", model_version="1.0", output=output, sha256=sha256, structures=structures,
        findings=[{"code": "x", "severity": "warning", "message": "Unlike the training data."}],
        seconds=1.8, device="cpu",
    )  # fmt: skip
    return catalog.prediction(row)
