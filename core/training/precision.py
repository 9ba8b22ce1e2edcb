"""The precision a device gains by, told by timing a few steps and not by hope."""

from __future__ import annotations

import copy
import json
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from core.files import write_text
from core.training.devices import cpu_has_bf16

STEPS = 3  # timed ones, after one that warms up
FILE = "precision.json"
GAIN = 1.1  # a mixed precision has to be this much faster than 32 bits


def candidates(device: str) -> list[str]:
    """The mixed precisions that the device claims to support. Nothing else may be tried."""
    if device == "cuda":
        return (["bf16-mixed"] if torch.cuda.is_bf16_supported(including_emulation=False) else []) + ["16-mixed"]
    if device == "cpu" and cpu_has_bf16():
        return ["bf16-mixed"]
    return []


def probe(module: Any, batches: Iterable[Any], device: str) -> tuple[str, dict[str, float]]:
    """The precision whose training step is quickest, and the seconds of a step in each that was tried.

    module: a LightningModule with `training_step`; a copy of it is used, so that nothing of it changes.
    """
    tried = candidates(device)
    if not tried:
        return "32", {}
    trial = copy.deepcopy(module).to(device).train()
    batch = {
        key: value.to(device) if isinstance(value, torch.Tensor) else value
        for key, value in next(iter(batches)).items()
    }
    seconds = {
        precision: _seconds(partial(_step, trial, batch, device, precision), device) for precision in ("32", *tried)
    }
    return quickest(seconds), seconds


def quickest(seconds: dict[str, float]) -> str:
    """32 bits, unless another precision is clearly faster.

    >>> quickest({"32": 1.0, "bf16-mixed": 0.95}), quickest({"32": 1.0, "bf16-mixed": 0.5, "16-mixed": 0.6})
    ('32', 'bf16-mixed')
    """
    best = min(seconds, key=lambda precision: seconds[precision])
    return best if seconds["32"] >= GAIN * seconds[best] else "32"


def described(chosen: str, seconds: dict[str, float]) -> str:
    """The choice as an event of the run."""
    if not seconds:
        return "Precision 32: this device has no faster one."
    times = ", ".join(f"{value * 1000:.0f} ms in {precision}" for precision, value in seconds.items())
    return f"Precision {chosen}, by a probe: a step takes {times}."


def remember(folder: Path, device: str, precision: str) -> None:
    """Keep in a run's folder what it trains in, so that it goes on so."""
    write_text(folder / FILE, json.dumps({"device": device, "precision": precision}))


def remembered(folder: Path, device: str) -> str:
    """What a run was begun in on such a device; "auto" where that is not known."""
    try:
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        same = kept["device"] == device and kept["precision"] in ("32", "16-mixed", "bf16-mixed")
        return str(kept["precision"]) if same else "auto"
    except (OSError, ValueError, KeyError, TypeError):
        return "auto"


def _step(module: Any, batch: Any, device: str, precision: str) -> None:
    kind = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, about a module without a trainer
        with torch.autocast(device, dtype=kind, enabled=kind is not None):
            loss = module.training_step(batch, 0)
    loss.backward()
    module.zero_grad()


def _seconds(step: Callable[[], None], device: str) -> float:
    best = float("inf")
    for number in range(1 + STEPS):
        began = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        if number:
            best = min(best, time.perf_counter() - began)
    return best
