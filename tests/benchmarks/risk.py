"""The full-size risk network in training on this CPU: what a step takes, and what saves memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.report import Figure

SHAPE = (91, 120, 91)
MEMORY_GB = 24.0  # with which a step has to do


def risk_step(folder: Path, *, quick: bool) -> list[Figure]:
    """A forward pass and a training step of 91 x 120 x 91 voxels, batch 4, each way of saving memory by itself."""
    import torch

    ways: dict[str, dict[str, Any]] = {"plain": {}, "checkpointing": {"checkpointing": True}}
    if not quick:
        ways["one by one"] = {"batch": 1, "accumulate": 4}
        ways["one by one, checkpointing"] = {"batch": 1, "accumulate": 4, "checkpointing": True}
        if torch.ops.mkldnn._is_mkldnn_bf16_supported():
            ways["bf16-mixed"] = {"precision": "bf16-mixed"}
    found = {name: _step(way, steps=1 if quick else 3) for name, way in ways.items()}
    plain, saving = found["plain"], found["checkpointing"]
    return [
        Figure("risk network, full size: training step, peak", plain["step_peak_gb"], "GB", MEMORY_GB, detail=found),
        Figure("the same with checkpointing", saving["step_peak_gb"] / plain["step_peak_gb"], "x", 0.8),
        Figure("forward of one subject, peak", plain["forward_peak_gb"], "GB", 4.0),
    ]


def _step(way: dict[str, Any], steps: int) -> dict[str, Any]:
    settings = {
        "shape": SHAPE, "batch": 4, "accumulate": 1, "checkpointing": False, "precision": "32", "steps": steps,
        "threads": 1, **way,
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.benchmarks.inspect_risk", json.dumps(settings)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    if run.returncode:
        raise RuntimeError(f"risk_step: {(run.stderr.strip().splitlines() or ['killed'])[-1]}")
    measured: dict[str, Any] = json.loads(run.stdout)
    return measured
