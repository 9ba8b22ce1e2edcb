"""What the training of tables costs beside a bare loop of the same steps, and how much memory a large table takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from core import config
from tests.benchmarks.report import Figure
from tests.benchmarks.window import open_window

FEATURES, BATCH = 30, 256
COLUMNS = 100  # of the large table, besides the outcome


def table_steps(folder: Path, *, quick: bool) -> list[Figure]:
    """Steps of training under Lightning, against the same steps in a bare PyTorch loop: the same losses, how much time.

    Processor time of one thread, in turns.
    """
    import torch

    torch.set_num_threads(1)
    figures = []
    for title, hidden, epochs, bound in (
        ("width 512", [512, 512], 2 if quick else 4, 1.02), ("smallest network", [8], 6 if quick else 20, 1.15),
    ):  # fmt: skip
        experiment = config.parse({
            "task": "tabular", "model": {"name": "mlp", "hidden": hidden, "activation": "relu", "dropout": 0.0},
            "trainer": {"epochs": epochs, "batch_size": BATCH},
        })  # fmt: skip
        numbers, target = _data(40_000 if len(hidden) > 1 else 80_000)
        turns = []
        _under_lightning(experiment, numbers[: 4 * BATCH], target[: 4 * BATCH])  # imports, and the caches of torch
        for _ in range(2 if quick else 5):
            ours, our_losses = _under_lightning(experiment, numbers, target)
            bare, bare_losses = _bare(experiment, numbers, target)
            turns.append((ours, bare))
        apart = float(np.abs(np.array(our_losses) - np.array(bare_losses)).max())
        # The shortest of each: what else the computer does only makes a time longer.
        ours, bare = (min(times) for times in zip(*turns, strict=True))
        detail = {"turns": turns, "steps": len(bare_losses), "bare_us_per_step": 1e6 * bare / len(bare_losses)}
        figures += [
            Figure(f"training a table, {title}, of a bare loop's time", ours / bare, "x", bound,
                   detail=detail),
            Figure(f"  losses of the steps apart, {title}, most", apart, "", 1e-5),
        ]  # fmt: skip
    return figures


def _data(rows: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    return numbers, (numbers[:, 0] + rng.normal(size=rows) > 0).astype(np.int64)


def _under_lightning(experiment: Any, numbers: Any, target: Any) -> tuple[float, list[float]]:
    from core.tasks.tabular.data import Rows
    from core.tasks.tabular.fitting import fit_network
    from core.tasks.tabular.module import TableModule

    losses: list[Any] = []
    of = TableModule.loss_of

    def kept(self: Any, index: Any) -> Any:
        loss = of(self, index)
        losses.append(loss.detach())
        return loss

    rows = Rows.of(numbers, np.zeros((len(numbers), 0), np.int64), target)
    TableModule.loss_of = kept  # type: ignore[method-assign]
    try:
        began = time.process_time()
        fit_network(experiment, rows, None, cardinalities=[], classes=2, seed=0)
        return time.process_time() - began, [float(loss) for loss in losses]
    finally:
        TableModule.loss_of = of  # type: ignore[method-assign]


def _bare(experiment: Any, numbers: Any, target: Any) -> tuple[float, list[float]]:
    """The loop that one would write by hand: shuffle, forward, cross-entropy, backward, clip, AdamW on a schedule."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    settings = experiment.trainer
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = experiment.model.build(FEATURES, [], 2)
    inputs, outcome, none = torch.from_numpy(numbers), torch.from_numpy(target), torch.zeros(len(target), 0).long()
    losses = []
    began = time.process_time()
    optimizer = torch.optim.AdamW(network.parameters(), lr=experiment.optimizer.lr, weight_decay=1e-2, fused=True)
    batches = len(target) // BATCH
    for epoch in range(settings.epochs):
        order = torch.from_numpy(np.random.default_rng((0, epoch)).permutation(len(target))).tensor_split(batches)
        for number, index in enumerate(order):
            progress = (epoch * batches + number) / (batches * settings.epochs)
            optimizer.param_groups[0]["lr"] = experiment.optimizer.lr * experiment.scheduler.factor(progress)
            loss = cross_entropy(network(inputs[index], none[index])[:, 0], outcome[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_grad_norm_(network.parameters(), settings.gradient_clip)
            optimizer.step()
            losses.append(loss.detach())
    return time.process_time() - began, [float(loss) for loss in losses]


def large_table(path: Path, rows: int) -> Path:
    """A table of COLUMNS numbers, the first of which tells the outcome with noise, written in pieces."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    schema = pa.schema([*((f"x{i}", pa.float32()) for i in range(COLUMNS)), ("outcome", pa.int64())])
    with pq.ParquetWriter(path, schema) as writer:
        for _ in range(10):
            cells = rng.normal(size=(COLUMNS, rows // 10)).astype(np.float32)
            outcome = (cells[0] + rng.normal(size=rows // 10) > 0).astype(np.int64)
            writer.write_table(pa.table([*map(pa.array, cells), pa.array(outcome)], schema=schema))
    return path


def table_lateness(folder: Path, *, quick: bool) -> list[Figure]:
    """How late a 10 ms timer of the window is while a large table is opened, and while it is trained on."""
    rows = 100_000 if quick else 1_000_000
    small, large = large_table(folder / "small.parquet", 2000), large_table(folder / "large.parquet", rows)
    run = open_window("table", str(small), str(large), home=folder, timeout=3000)
    if "error" in run:
        raise RuntimeError(run["error"])
    detail = {"rows": rows, "columns": COLUMNS, **run}
    return [
        Figure(f"event loop late while {words}, worst", run[phase]["worst_ms"], "ms", 50, detail=detail)
        for phase, words in (("opening", "a large table is opened"), ("training", "it is trained on"))
    ]


def table_memory(folder: Path, *, quick: bool) -> list[Figure]:
    """The most memory that training on a large table takes, over that of the program, in sizes of its float32 cells."""
    rows, columns = (100_000 if quick else 1_000_000), COLUMNS
    path = large_table(folder / "large.parquet", rows)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.inspect_table", str(path)], capture_output=True, text=True,
        env={**os.environ, "ISOCENTER_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}, timeout=3000,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the run failed")
    found = json.loads(done.stdout.splitlines()[-1])
    size = 4 * rows * columns
    detail = {**found, "rows": rows, "columns": columns}
    return [Figure("memory of training on a large table", (found["peak"] - found["before"]) / size, "x", 2.5,
                   detail=detail)]  # fmt: skip
