"""Packages of real networks with drawn weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from core import registry
from core.inference.package import ModelPackage
from core.paths import models_folder

UNET = {"name": "unet", "channels": [4, 8, 8]}


@pytest.fixture
def make_unet() -> Callable[..., ModelPackage]:
    """Write a package of a small U-Net (or the network given); half: its weights in 16 bits."""

    def make(folder: Path | None = None, *, half: bool = False, network: dict[str, Any] = UNET) -> ModelPackage:
        import torch
        from safetensors.torch import save

        from core.models.weights import own_tensors

        torch.manual_seed(0)
        built = registry.part("model", network["name"]).model_validate(network).build(1, 3).eval()
        kind = torch.float16 if half else torch.float32
        tensors = {name: t.to(kind) if t.is_floating_point() else t for name, t in own_tensors(built).items()}
        content = save({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()})
        labels = [{"value": 1, "name": "One"}, {"value": 2, "name": "Two"}]
        manifest = {
            "name": "small", "version": "1.0", "title": "Small", "network": network, "mirror_axes": ["x"],
            "plan": {"spacing_mm": [1, 1, 1], "patch_size": [16, 24, 16], "labels": labels},
            "training": {"data": "made"}, "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
        folder = folder or models_folder() / "small-1.0"
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(content)
        (folder / "model.yaml").write_text(yaml.safe_dump(manifest))
        return ModelPackage.read(folder)

    return make
