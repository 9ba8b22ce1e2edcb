"""A network of one weight that marks what is bright, so that what a prediction must be is known exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from core import registry
from core.inference.package import ModelPackage
from core.inference.runtime import choice
from core.paths import models_folder
from core.registry import Part
from tests.core.inference.making import bright_box
from tests.core.making import write_nifti


class BrightConfig(Part):
    """One 1 x 1 x 1 convolution."""

    name: Literal["bright"] = "bright"

    def build(self, in_channels: int, out_channels: int) -> Any:
        import torch

        return torch.nn.Conv3d(in_channels, out_channels, 1)


@pytest.fixture(autouse=True)
def bright_network(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.parts("model")
    monkeypatch.setitem(registry._parts["model"], "bright", BrightConfig)
    choice._loaded.clear()


@pytest.fixture
def make_package() -> Callable[..., ModelPackage]:
    """Write a package that marks standardised values above 1; keywords change its manifest."""

    def make(name: str = "bright", version: str = "1.0", folder: Path | None = None, **changes: Any) -> ModelPackage:
        import torch
        from safetensors.torch import save

        weights = {
            "weight": torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1, 1),
            "bias": torch.tensor([0.0, -20.0]),
        }
        content = save(weights)
        manifest = {
            "name": name,
            "version": version,
            "title": "What is bright",
            "network": {"name": "bright"},
            "plan": {"spacing_mm": [1, 1, 1], "patch_size": [16, 16, 16], "labels": [{"value": 1, "name": "Bright"}]},
            "training": {"data": "made", "licence": "CC0", "dice": {"Bright": {"mean": 0.9, "sd": 0.1}}},
            "sha256": hashlib.sha256(content).hexdigest(),
            **changes,
        }
        folder = folder or models_folder() / f"{name}-{version}"
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(content)
        (folder / "model.yaml").write_text(yaml.safe_dump(manifest))
        (folder / "card.md").write_text("# What is bright\n")
        (folder / "experiment.yaml").write_text("name: bright\n")
        return ModelPackage.read(folder)

    return make


@pytest.fixture
def package(make_package: Callable[..., ModelPackage]) -> ModelPackage:
    return make_package()


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return write_nifti(tmp_path / "scans" / "box.nii.gz", bright_box()[0])
