"""Small tables for tests, and settings that learn from one in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml


def write_table(path: Path, rows: int = 120, seed: int = 0, **more: Any) -> Path:
    """A table whose outcome follows from `age`, with empty cells, words and an identifier."""
    rng = np.random.default_rng(seed)
    age, sex = rng.normal(60, 10, rows), rng.choice(["f", "m"], rows)
    died = (age + rng.normal(0, 3, rows) > 60).astype(int)
    columns = {
        "record": [str(i + 1000) for i in range(rows)],
        "age": [f"{a:.1f}" if i % 9 else "" for i, a in enumerate(age)],
        "sex": sex, "died": died, **more,
    }  # fmt: skip
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def tree(path: Path | str, **data: Any) -> dict[str, Any]:
    """An experiment on such a table."""
    return {
        "name": "tiny table",
        "task": {"name": "tabular"},
        "data": {"path": str(path), "target": "died", **data},
        "model": {"name": "mlp", "hidden": [16]},
        "optimizer": {"name": "adamw", "lr": 0.02},
        "trainer": {"epochs": 6, "batch_size": 16, "device": "cpu", "threads": 1},
    }


def write_recipe(folder: Path, experiment: dict[str, Any]) -> Path:
    """An experiment as a file for the command line."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(experiment))
    return path
