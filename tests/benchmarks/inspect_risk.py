"""One full-size forward and training step of the risk network on a CPU or GPU: seconds and peak memory.

    python -m tests.benchmarks.inspect_risk SETTINGS

SETTINGS, as JSON: {"network", "optimizer", "shape", "features", "batch", "accumulate", "precision", "device", "steps",
"threads"}, the first two as keyword arguments. Prints one JSON object. Needs nothing but torch, so that it also runs
where only that is installed.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from core.models.nets.risk import RiskNetwork

KINDS = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


def main() -> None:
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings.get("threads", 1))
    print(json.dumps(measure(settings)))


def measure(settings: dict[str, Any]) -> dict[str, Any]:
    """Seconds and peak memory of a forward pass of one subject, and of steps of `batch` x `accumulate` subjects.

    Peaks are of this process on a CPU, and of what torch holds on a GPU, where a first step that is not counted fills
    the optimizer's means.
    """
    torch.manual_seed(0)
    device = torch.device(settings["device"])
    gpu = device.type == "cuda"
    shape, batch, features = settings["shape"], settings["batch"], settings["features"]
    network = RiskNetwork(shape=shape, features=features, **settings["network"]).to(device)
    # As core.training.optimizers: one kernel on a CPU; on a GPU it would forbid clipping in 16 bits.
    optimizer = torch.optim.AdamW(network.parameters(), **settings["optimizer"], fused=not gpu)
    parts = tuple(
        part.to(device)
        for part in (
            torch.randn(batch, 1, *shape), torch.randn(batch, 1, *shape), torch.randn(batch, features),
            torch.ones(batch, 2, dtype=torch.bool),
        )
    )  # fmt: skip
    target = torch.rand(batch).to(device)
    kind = KINDS.get(settings["precision"])
    scaler = torch.amp.GradScaler(device.type, enabled=settings["precision"] == "16-mixed")
    losses: list[torch.Tensor] = []

    def forward() -> None:
        with torch.inference_mode(), torch.autocast(device.type, kind, enabled=kind is not None):
            network(*(part[:1] for part in parts))

    def step() -> None:
        for _ in range(settings["accumulate"]):
            with torch.autocast(device.type, kind, enabled=kind is not None):
                loss = functional.mse_loss(network(*parts), target)
            scaler.scale(loss / settings["accumulate"]).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        losses.append(loss.detach())

    network.eval()
    warm = int(gpu)
    forward_s, forward_peak = _timed(forward, 5 if gpu else 1, warm, device)
    network.train()
    step_s, step_peak = _timed(step, settings["steps"], warm, device)
    per_step = batch * settings["accumulate"]
    return {
        "batch": batch, "accumulate": settings["accumulate"], "precision": settings["precision"],
        "checkpointing": settings["network"]["checkpointing"], "shape": list(shape),
        "device": torch.cuda.get_device_name(device) if gpu else "cpu", "threads": torch.get_num_threads(),
        "torch": torch.__version__, "parameters": sum(p.numel() for p in network.parameters()),
        "forward_s": round(statistics.median(forward_s), 4), "forward_peak_gb": forward_peak,
        "step_s": [round(value, 4) for value in step_s], "step_peak_gb": step_peak,
        "subjects_per_s": round(per_step / statistics.median(step_s), 3),
        "first_loss": losses[0].item(), "last_loss": losses[-1].item(),
        # Steps whose 16-bit gradients overflowed are left out, and the scale is halved.
        "loss_scale": scaler.get_scale(),
    }  # fmt: skip


def _timed(work: Callable[[], None], times: int, warm: int, device: torch.device) -> tuple[list[float], float]:
    """The seconds of each call after the first `warm` ones, and the most memory held in GB of 1e9 bytes."""
    seconds = []
    gpu = device.type == "cuda"
    for number in range(warm + times):
        if gpu:
            if number == warm:
                torch.cuda.reset_peak_memory_stats(device)
            torch.cuda.synchronize(device)
        began = time.perf_counter()
        work()
        if gpu:
            torch.cuda.synchronize(device)  # kernels run on after the call has returned
        if number >= warm:
            seconds.append(time.perf_counter() - began)
    return seconds, round((torch.cuda.max_memory_allocated(device) if gpu else _held()) / 1e9, 3)


def _held() -> int:
    """The most bytes that this process has held in memory."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
