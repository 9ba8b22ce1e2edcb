"""Small sets of stays for tests, written as PhysioNet's files: the sicker the patient, the faster the heart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

HEAD = "Time,Parameter,Value\n"


def write_stay(path: Path, rows: list[tuple[str, str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(f"{time},{name},{value}\n" for time, name, value in rows))
    return path


def make_stays(folder: Path, count: int = 60, seed: int = 0, first: int = 1000, part: str = "set-a") -> Path:
    """Stays of 6 to 24 hours with five variables, and outcomes: death, ward (three), two labels and a length."""
    rng = np.random.default_rng((seed, first))
    outcomes = ["RecordID,In-hospital_death,ward,fever,shock,Length_of_stay"]
    for number in range(first, first + count):
        sick = rng.random()
        hours = int(rng.integers(6, 25))
        rows: list[tuple[str, str, Any]] = [
            ("00:00", "RecordID", number), ("00:00", "Age", round(40 + 40 * sick)), ("00:00", "Gender", number % 2),
            ("00:00", "Height", -1), ("00:00", "ICUType", 1 + number % 4), ("00:00", "Weight", 80),
        ]  # fmt: skip
        for hour in range(hours):
            rows.append((f"{hour:02d}:15", "HR", round(70 + 40 * sick + rng.normal(0, 4), 1)))
            if hour % 2 == 0:
                rows.append((f"{hour:02d}:20", "SysABP", round(130 - 40 * sick + rng.normal(0, 6), 1)))
            if hour % 5 == 0:
                rows.append((f"{hour:02d}:30", "Lactate", round(1 + 4 * sick + rng.normal(0, 0.3), 2)))
                rows.append((f"{hour:02d}:30", "Temp", round(36.5 + 2 * sick + rng.normal(0, 0.2), 1)))
            if hour % 3 == 0:
                rows.append((f"{hour:02d}:40", "Urine", round(max(100 - 80 * sick + rng.normal(0, 10), 0))))
        write_stay(folder / part / f"{number}.txt", rows)
        death = int(sick + rng.normal(0, 0.05) > 0.6)
        outcomes.append(
            f"{number},{death},{'ABC'[int(sick * 2.99)]},{int(sick > 0.4)},{int(sick > 0.7)},{3 + 20 * sick:.1f}"
        )
    (folder / f"Outcomes-{part}.txt").write_text("\n".join(outcomes) + "\n")
    return folder


def tree(of: str, folder: Path, **blocks: dict[str, Any]) -> dict[str, Any]:
    """Settings that train in about a second."""
    found: dict[str, Any] = {
        "name": f"tiny {of}",
        "task": {"name": of},
        "data": {"path": str(folder), "max_hours": 24.0, "step_hours": 2.0, "val_fraction": 0.25},
        "encoder": {"name": "transformer", "d_model": 16, "layers": 1, "heads": 2, "feedforward": 16},
        "optimizer": {"name": "adamw", "lr": 0.01},
        "trainer": {"epochs": 2, "batch_size": 16, "device": "cpu", "threads": 1},
    }
    for name, settings in blocks.items():
        found[name] = {**found.get(name, {}), **settings}
    return found
