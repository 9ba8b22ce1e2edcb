"""Train on a table in a process of its own and tell its memory: after a small table before it, and at its most."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from core import config
from core.training.launch import execute, prepare_run


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def experiment_on(path: Path) -> Any:
    return config.parse({
        "name": "large", "task": "tabular", "data": {"path": str(path), "target": "outcome"},
        "model": {"name": "mlp", "hidden": [64]},
        "trainer": {"epochs": 1, "batch_size": 4096, "device": "cpu", "threads": 1},
    })  # fmt: skip


def train(path: Path) -> Any:
    return execute(prepare_run(experiment_on(path)))


def main(path: Path) -> None:
    import pyarrow.parquet as pq

    small = path.with_name("small.parquet")
    pq.write_table(pq.ParquetFile(path).read_row_group(0).slice(0, 2000), small)
    train(small)  # what the program itself takes is all loaded then
    before = peak()
    row = train(path)
    print(json.dumps({"before": before, "peak": peak(), "state": row.state, "metrics": row.summary}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
