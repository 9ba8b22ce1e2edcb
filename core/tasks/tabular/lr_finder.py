"""A learning rate for a network and a table, from the loss as the rate rises (Smith, arXiv 1506.01186)."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.control import JobControl
from core.files import write_text

if TYPE_CHECKING:
    from core.tasks.tabular.module import TableModule

CURVE = "lr_finder.json"  # in the run's folder
LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 150
SMOOTHING = 0.9  # of the loss, over steps
LOST = 3.0  # a loss so many times the lowest is on its way to infinity
LEAST_STEPS = 20


@dataclass(frozen=True)
class RateCurve:
    """The smoothed loss at each rate, and the rate that is chosen: where the loss falls fastest; None: nowhere."""

    rates: list[float]
    losses: list[float]
    chosen: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def load_curve(folder: Path) -> RateCurve | None:
    """The curve that a run's folder keeps, or None."""
    try:
        return RateCurve(**json.loads((folder / CURVE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save_curve(curve: RateCurve, folder: Path) -> None:
    write_text(folder / CURVE, json.dumps(curve.as_dict()))


def find_rate(module: TableModule, batch_size: int, seed: int, control: JobControl) -> RateCurve:
    """Take up to STEPS minibatches at rising rates, on a copy of the network; nothing else is changed by it."""
    import torch

    kept = module.network
    rates = np.geomspace(LOWEST, HIGHEST, STEPS)
    rng = np.random.default_rng((seed, 3))
    losses: list[float] = []
    mean = 0.0
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module.network = copy.deepcopy(kept).train()
            optimizer = module.experiment.optimizer.build(module.network.parameters())
            for step, rate in enumerate(rates, start=1):
                control.progress(step / STEPS, "Looking for a learning rate")
                for group in optimizer.param_groups:
                    group["lr"] = float(rate)
                rows = torch.from_numpy(rng.integers(module.rows, size=min(batch_size, module.rows)))
                loss = module.loss_of(rows)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                module.clip(list(module.network.parameters()))
                optimizer.step()
                mean = SMOOTHING * mean + (1 - SMOOTHING) * float(loss.detach())
                smooth = mean / (1 - SMOOTHING**step)
                if not math.isfinite(smooth) or (losses and smooth > LOST * min(losses)):
                    break
                losses.append(smooth)
    finally:
        module.network = kept
    return RateCurve([float(rate) for rate in rates[: len(losses)]], losses, _steepest(rates[: len(losses)], losses))


def _steepest(rates: Any, losses: list[float]) -> float | None:
    """The rate at which the loss falls fastest over the logarithm of the rate, before it is lowest."""
    if len(losses) < LEAST_STEPS:
        return None
    lowest = int(np.argmin(losses))
    slopes = np.gradient(np.asarray(losses))[5 : max(lowest, 6)]
    if not len(slopes) or slopes.min() >= 0:
        return None
    return float(rates[5 + int(np.argmin(slopes))])
