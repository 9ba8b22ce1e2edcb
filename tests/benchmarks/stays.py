"""How much of a training step on stays goes to making its batch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.report import Figure

STAYS, VARIABLES, HOURS, BATCH = 2_000, 35, 48, 128


def stay_loading(folder: Path, *, quick: bool) -> list[Figure]:
    """Batches of stays of 35 variables over 48 hours beside the steps of the default masked autoencoder.

    Processor time of one thread; the padding is that of stays whose lengths are spread over 1 to 48 hours.
    """
    import torch

    from core import registry
    from core.data.stays.batches import StayRows, batches_of, train_loader, waste
    from core.data.stays.coding import Scaling, StayCoding
    from core.data.stays.grid import Grid

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    count = STAYS // 4 if quick else STAYS
    observed = rng.random((count, HOURS, VARIABLES)) < 0.2
    values = rng.normal(size=observed.shape).astype(np.float32) * observed
    lengths = rng.integers(1, HOURS + 1, count)
    rows = StayRows(
        StayCoding(variables=[Scaling(name=str(n)) for n in range(VARIABLES)], steps=HOURS),
        Grid(values, observed, lengths, np.zeros((count, 8), np.float32)),
    )
    encoder: Any = registry.part("encoder", "transformer")()
    objective: Any = registry.part("objective", "mae")()
    network = objective.build(encoder.build(VARIABLES, 8), VARIABLES)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    loading = stepping = 0.0
    batches = iter(train_loader(rows, np.arange(count), BATCH, 0))
    while True:
        began = time.process_time()
        batch = next(batches, None)
        loaded = time.process_time()
        if batch is None:
            break
        network(batch.stays, batch.draws)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        loading, stepping = loading + loaded - began, stepping + time.process_time() - loaded
    whole = rng.integers(1, HOURS + 1, STAYS)
    padded = waste(whole, batches_of(whole, np.arange(STAYS), BATCH, rng))
    detail = {"stays": count, "batch": BATCH, "stays_per_s": count // BATCH * BATCH / (loading + stepping)}
    return [
        Figure("making batches of stays, of their steps' time", 100 * loading / stepping, "%", 5, detail=detail),
        Figure("padding in batches of stays of 1 to 48 h", 100 * padded, "%", 15),
    ]
