"""One full-size forward and training step of the risk network on this CPU: seconds and peak memory.

    python -m tests.benchmarks.inspect_risk SETTINGS.json

SETTINGS: {"shape", "batch", "accumulate", "checkpointing", "precision", "steps", "threads"}. Prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import torch
from torch.nn import functional

from core import config


def main() -> None:
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(settings.get("threads", 1))
    torch.manual_seed(0)
    experiment = config.load("alzheimers", [f"model.checkpointing={str(settings['checkpointing']).lower()}"])
    shape, batch = settings["shape"], settings["batch"]
    network = experiment.model.build(shape, 118)
    optimizer = experiment.optimizer.build(network.parameters())
    parts = (
        torch.randn(batch, 1, *shape), torch.randn(batch, 1, *shape), torch.randn(batch, 118),
        torch.ones(batch, 2, dtype=torch.bool),
    )  # fmt: skip
    target = torch.rand(batch)
    mixed = settings["precision"] == "bf16-mixed"
    network.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        began = time.perf_counter()
        network(*(part[:1] for part in parts))
        forward = time.perf_counter() - began
    forward_peak = peak()
    network.train()
    seconds = []
    for _ in range(settings["steps"]):
        began = time.perf_counter()
        for _ in range(settings["accumulate"]):
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                loss = functional.mse_loss(network(*parts), target)
            (loss / settings["accumulate"]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - began)
    found = {
        **settings, "forward_s": round(forward, 3), "forward_peak_gb": forward_peak,
        "step_s": [round(value, 2) for value in seconds], "step_peak_gb": peak(), "loss": loss.item(),
        "parameters": sum(p.numel() for p in network.parameters()),
    }  # fmt: skip
    print(json.dumps(found))


def peak() -> float:
    """The most memory that this process has held, in GB of 1e9 bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most * (1 if sys.platform == "darwin" else 1024) / 1e9, 2)


if __name__ == "__main__":
    main()
