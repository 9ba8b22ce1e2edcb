"""A risk model with random weights among the user's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import yaml

from core.paths import models_folder

SHAPE = (16, 16, 16)
VALUES = [
    {"name": "age", "unit": "years", "low": 50, "high": 100, "group": "Demographics", "mean": 73, "scale": 7.5},
    {"name": "sex", "low": 0, "high": 1, "group": "Demographics", "words": ["F", "M"], "mean": 0.5, "scale": 0.5},
    {"name": "mmse", "unit": "points", "low": 0, "high": 30, "group": "Cognition", "mean": 25, "scale": 4},
    {"name": "abeta_42", "unit": "pg/mL", "low": 100, "high": 2000, "group": "CSF", "mean": 800, "scale": 300},
]


def make_risk_model(name: str = "risk") -> Path:
    """A package of a very small network, of simulated data as its manifest says."""
    import torch
    from safetensors.torch import save

    from core.models.risk.swin_fusion import SwinFusionConfig
    from core.models.weights import own_tensors
    from core.tasks.alzheimers.norms import Norms

    torch.manual_seed(7)
    network = SwinFusionConfig(
        width=8, depths=[1, 1], heads=[1, 2], window=2, readout=4, clinical=8, fusion=8, cross_heads=2
    )
    weights = save({key: value.clone() for key, value in own_tensors(network.build(SHAPE, len(VALUES))).items()})
    norms = Norms(np.zeros((2, *SHAPE), np.float32), np.ones(2, np.float32)).save()
    manifest = {
        "name": name, "version": "1.0", "title": "Risk", "task": "alzheimers", "network": network.model_dump(),
        "plan": {
            "shape": list(SHAPE), "spacing_mm": [8.0, 8.0, 8.0], "values": VALUES, "target": "score",
            "mean_score": 0.4, "simulated": True, "cohort_sha256": "0" * 64,
        },
        "samples": 4,
        "intervals": {"confidence": 0.9, "floor": 0.05, "widths": {"clinical": 2.0}, "rows": {"clinical": 40}},
        "training": {
            "data": "made up", "cases": {"train": 40, "val": 40}, "measured_on": "val", "figures": {"pearson": 0.9},
            "simulated": True,
        },
        "sha256": hashlib.sha256(weights).hexdigest(), "norms_sha256": hashlib.sha256(norms).hexdigest(),
    }  # fmt: skip
    folder = models_folder() / f"{name}-1.0"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(weights)
    (folder / "norms.safetensors").write_bytes(norms)
    (folder / "card.md").write_text("# Risk\n")
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest))
    return folder
