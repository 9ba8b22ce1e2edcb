"""What a plan says that a run will take, beside what it then takes: time from start to end, an epoch, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.materials import scene_dataset, small_dataset
from tests.benchmarks.report import Figure
from tests.benchmarks.window import CHECKOUT

BOUND = 15.0  # percent
LOOK_SECONDS = 0.2
SMALL_STEPS = {"batch_size": 2, "patches_per_case": 1}
UNET = {"name": "unet", "channels": [16, 32, 64, 128]}
CROPS = {"patch_size": [32, 48, 32], "spacing_mm": [1.0, 1.0, 1.0]}
SCENES = {"patch_size": [48, 48, 48], "spacing_mm": [1.0, 1.0, 1.0]}
# Name, data set, and the blocks of the experiment.
RUNS: list[tuple[str, str, dict[str, Any]]] = [
    ("U-Net, small crops", "crops",
     {"data": CROPS, "model": UNET, "trainer": {**SMALL_STEPS, "epochs": 60, "validate_every": 5}}),
    ("residual U-Net under deep supervision, two minutes at most", "crops",
     {"data": CROPS, "model": {**UNET, "residual": True, "deep_supervision": True},
      "trainer": {**SMALL_STEPS, "epochs": 1000, "validate_every": 2, "max_minutes": 2}}),
    ("SegResNet, windows in validation", "scenes",
     {"data": {**SCENES, "patch_size": [32, 32, 32]}, "model": {"name": "segresnet", "width": 8},
      "trainer": {"batch_size": 2, "epochs": 10, "patches_per_case": 12, "validate_every": 1}}),
    ("U-Net of slices", "scenes",
     {"data": {**SCENES, "patch_size": [64, 64, 1]}, "model": UNET,
      "trainer": {"epochs": 20, "patches_per_case": 32, "batch_size": 8, "validate_every": 4}}),
    ("everything planned", "scenes", {"trainer": {"epochs": 6, "max_minutes": 3}}),
]  # fmt: skip


def estimates(folder: Path, *, quick: bool) -> list[Figure]:
    """Each run estimated, then carried out, in processes of their own; the estimate's error in percent of the truth."""
    data = {"crops": small_dataset(folder / "crops"), "scenes": scene_dataset(folder / "scenes")}
    rows = []
    for name, of, blocks in RUNS[:1] if quick else RUNS:
        tree = {"name": "estimated", "task": "segmentation", **blocks}
        tree["data"] = {**tree.get("data", {}), "path": str(data[of])}
        tree["trainer"] = {**tree["trainer"], **({"epochs": 8} if quick else {})}
        file = folder / "run.yaml"
        file.write_text(yaml.safe_dump(tree), encoding="utf-8")
        rows.append({"run": name, **_compared(file, folder)})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    worst = {key: max((row["error"][key] for row in rows), key=abs) for key in ("total", "epoch", "memory")}
    titles = {"total": "time of a run", "epoch": "time of an epoch", "memory": "memory of a run"}
    return [
        Figure(f"{titles[key]}, estimate's error, worst of {len(rows)}", abs(value), "%", BOUND, detail={"runs": rows})
        for key, value in worst.items()
    ]


def _compared(file: Path, home: Path) -> dict[str, Any]:
    told, trial_s, _ = _isocenter(home, "plan", str(file), "--estimate", "--json")
    expected = told["estimate"]
    done, seconds, peak = _isocenter(home, "train", str(file), "--json")
    epoch = _epoch_seconds(home, done["run"])
    truth = {"total": seconds, "epoch": epoch, "memory": peak}
    wanted = {"total": expected["total_s"], "epoch": expected["epoch_s"], "memory": expected["memory"]}
    error = {key: round(100 * (wanted[key] / truth[key] - 1), 1) for key in truth}
    return {"estimate": expected, "truth": truth, "error": error, "trial_s": trial_s}


def _isocenter(home: Path, *args: str) -> tuple[Any, float, int]:
    """What a command answers, its seconds from start to end, and the most memory that its process had, in bytes."""
    began, peak = time.perf_counter(), 0
    with (home / "answer").open("w+") as answer, (home / "complaint").open("w+") as complaint:
        process = subprocess.Popen(
            [sys.executable, "-m", "core.cli", *args], stdout=answer, stderr=complaint, cwd=CHECKOUT,
            env={**os.environ, "ISOCENTER_HOME": str(home)},
        )  # fmt: skip
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            time.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - began
        answer.seek(0)
        complaint.seek(0)
        if process.returncode:
            raise RuntimeError(f"{args[0]}: {complaint.read()[-500:]}")
        return json.load(answer), seconds, peak


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), default=0)


def _epoch_seconds(home: Path, run: str) -> float:
    """Of an epoch's training without its validation, by the times that the run itself recorded: the median."""
    import statistics

    from core.catalog import Catalog

    with Catalog(home / "catalog.sqlite") as catalog:
        points = catalog.metrics(run)
    first: dict[int, float] = {}
    last: dict[int, tuple[int, float]] = {}
    for point in points:
        if point.key == "train/loss":
            first.setdefault(point.epoch, point.time)
            last[point.epoch] = (point.step, point.time)
    validated = {point.epoch: point.time for point in points if point.key == "val/loss"}
    spans = [
        first[epoch + 1] - first[epoch] - (validated[epoch] - last[epoch][1] if epoch in validated else 0.0)
        for epoch in sorted(first) if epoch > 0 and epoch + 1 in first
    ]  # fmt: skip
    return statistics.median(spans)
