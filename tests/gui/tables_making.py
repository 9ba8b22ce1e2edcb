"""Small tables for the tests of the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_table(path: Path, rows: int = 120, seed: int = 0) -> Path:
    """A table whose outcome follows from `age`, with empty cells, words and an identifier."""
    rng = np.random.default_rng(seed)
    age, sex = rng.normal(60, 10, rows), rng.choice(["f", "m"], rows)
    died = (age + rng.normal(0, 3, rows) > 60).astype(int)
    lines = ["record,age,sex,lactate,died"]
    for row in range(rows):
        written = f"{age[row]:.1f}" if row % 9 else ""
        lines.append(f"{row + 1000},{written},{sex[row]},{rng.gamma(2):.2f},{died[row]}")
    path.write_text("\n".join(lines) + "\n")
    return path
