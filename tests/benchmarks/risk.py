"""The full-size risk network in training on this CPU or GPU: what a step takes, and what saves memory.

    python -m tests.benchmarks.risk [--device cpu|cuda] [--quick] [--shape X Y Z] [--json FILE]
    python -m tests.benchmarks.risk --device cuda --save-ways WAYS.json    # here, with the program installed ...
    python -m tests.benchmarks.risk --ways WAYS.json --json FILE           # ... for a computer that has torch alone

Prints a table with a row for each way of saving memory or time. Each way is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.report import Figure

SHAPE = (91, 120, 91)
MEMORY_GB = 24.0  # with which a step has to do
SAVING = {"checkpointing": True}
ONE_BY_ONE = {"batch": 1, "accumulate": 4}


def risk_step(folder: Path, *, quick: bool) -> list[Figure]:
    """A forward pass and a training step of 91 x 120 x 91 voxels, batch 4, each way of saving memory by itself."""
    device = default_device()
    found = {name: measured(way) for name, way in ways(device, quick=quick).items()}
    return figures(found, device)


def figures(found: dict[str, dict[str, Any]], device: str) -> list[Figure]:
    plain, saving = found["plain"], found["checkpointing"]
    listed = [
        Figure(f"risk network, full size, {device}: step, peak", plain["step_peak_gb"], "GB", MEMORY_GB, detail=found),
        Figure("the same with checkpointing", saving["step_peak_gb"] / plain["step_peak_gb"], "x", 0.8),
        Figure("forward of one subject, peak", plain["forward_peak_gb"], "GB", 4.0),
    ]
    if "16-mixed" in found:
        half = found["16-mixed"]
        speed = statistics.median(plain["step_s"]) / statistics.median(half["step_s"])
        listed += [
            Figure("the same step in 16-mixed, peak", half["step_peak_gb"] / plain["step_peak_gb"], "x", 0.9),
            Figure("the same step in 16-mixed, speed", speed, "x", 1.0, "at least"),
        ]
    return listed


def default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def ways(device: str, *, quick: bool = False, shape: Sequence[int] = SHAPE) -> dict[str, dict[str, Any]]:
    """The settings of `inspect_risk` for each way, by name; the plain one is 4 subjects at once in 32 bits."""
    from core.training.devices import cpu_has_bf16

    different: dict[str, dict[str, Any]] = {"plain": {}, "checkpointing": SAVING}
    if device == "cuda":
        different["16-mixed"] = {"precision": "16-mixed"}
    if not quick:
        different["one by one"] = ONE_BY_ONE
        different["one by one, checkpointing"] = {**ONE_BY_ONE, **SAVING}
        if device == "cuda" or cpu_has_bf16():
            different["bf16-mixed"] = {"precision": "bf16-mixed"}
        if device == "cuda":
            different["16-mixed, checkpointing"] = {"precision": "16-mixed", **SAVING}
            different["16-mixed, 8 accumulated"] = {"precision": "16-mixed", "accumulate": 8}  # as a run is by default
    return {name: _settings(device, shape, quick, **way) for name, way in different.items()}


def _settings(
    device: str, shape: Sequence[int], quick: bool, *, batch: int = 4, accumulate: int = 1, precision: str = "32",
    checkpointing: bool = False,
) -> dict[str, Any]:  # fmt: skip
    from core import config

    experiment = config.load("alzheimers", [f"model.checkpointing={str(checkpointing).lower()}"])
    steps = (3 if quick else 10) if device == "cuda" else (1 if quick else 3)
    return {
        "network": experiment.model.model_dump(exclude={"name", "members"}),
        "optimizer": experiment.optimizer.model_dump(exclude={"name"}),
        "shape": list(shape), "features": 118, "batch": batch, "accumulate": accumulate, "precision": precision,
        "device": device, "steps": steps, "threads": 1,
    }  # fmt: skip


def measured(settings: dict[str, Any]) -> dict[str, Any]:
    """What `inspect_risk` finds, in a process of its own. Raises RuntimeError where that fails."""
    command = [sys.executable, "-m", "tests.benchmarks.inspect_risk", json.dumps(settings)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    if run.returncode:
        raise RuntimeError(f"risk_step: {(run.stderr.strip().splitlines() or ['killed'])[-1]}")
    found: dict[str, Any] = json.loads(run.stdout)
    return found


HEADINGS = ("way", "subjects", "step s", "subjects/s", "peak GB", "forward s", "forward GB", "first loss")


def row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    """What was measured of one way, under HEADINGS."""
    return (
        name, f"{found['batch']} x {found['accumulate']}", f"{statistics.median(found['step_s']):.4g}",
        f"{found['subjects_per_s']:.4g}", f"{found['step_peak_gb']:.3g}", f"{found['forward_s']:.4g}",
        f"{found['forward_peak_gb']:.3g}", f"{found['first_loss']:.4f}",
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.risk", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"))
    parser.add_argument("--quick", action="store_true", help="fewer ways and steps")
    parser.add_argument("--shape", nargs=3, type=int, default=SHAPE, metavar=("X", "Y", "Z"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there as well")
    parser.add_argument("--save-ways", type=Path, metavar="FILE", help="only write there what would be measured")
    parser.add_argument("--ways", type=Path, metavar="FILE", help="measure what such a file says")
    options = parser.parse_args()
    if options.ways:
        asked = json.loads(options.ways.read_text(encoding="utf-8"))
    else:
        asked = ways(options.device or default_device(), quick=options.quick, shape=options.shape)
    if options.save_ways:
        options.save_ways.write_text(json.dumps(asked, indent=1), encoding="utf-8")
        return 0
    rows, found, errors = [HEADINGS], {}, {}
    for name, settings in asked.items():
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        try:
            found[name] = measured(settings)
            rows.append(row(name, found[name]))
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            errors[name] = str(error)
        if options.json:  # after each, so that what was measured before a break-off is kept
            options.json.write_text(json.dumps({"ways": found, "errors": errors}, indent=1), encoding="utf-8")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    for name, error in errors.items():
        print(f"{name} could not be measured: {error}")
    for one in list(found.values())[:1]:
        print(f"{one['device']}, torch {one['torch']}, {one['parameters'] / 1e6:.1f} M parameters, {one['shape']}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
