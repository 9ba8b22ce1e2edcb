"""The promises, each a function that measures it and returns its figures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.training import devices
from tests.benchmarks.arithmetic import sgemm, swin_encoder, swinunetr, waiting
from tests.benchmarks.estimates import estimates
from tests.benchmarks.materials import LARGE_SHAPE, experiment, large_compressed_scan, large_scan, small_dataset
from tests.benchmarks.peers import peer_prediction, peer_training
from tests.benchmarks.predicting import cold, runtimes
from tests.benchmarks.preparing import preparing
from tests.benchmarks.reading import loading, series
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.risk import risk_step
from tests.benchmarks.stays import stay_loading
from tests.benchmarks.tables import table_lateness, table_memory, table_steps
from tests.benchmarks.window import open_window, train_without_window


def start(folder: Path, *, quick: bool) -> list[Figure]:
    """Process start to a painted window that takes a drop, and what was imported by then."""
    open_window("start", home=folder)  # the first one fills the disk cache and the home folder
    runs = [open_window("start", home=folder) for _ in range(3 if quick else 10)]
    seconds = [run["seconds"] for run in runs]
    heavy = sorted({name for run in runs for name in run["heavy"]})
    return [
        Figure("start to painted window, median", statistics.median(seconds), "s", 1.0, detail=median_of(seconds)),
        Figure("heavy libraries imported by then", len(heavy), "libraries", 0, detail={"libraries": heavy}),
        Figure("starts that take a drop", sum(run["takes_drop"] for run in runs), "starts", len(runs), "at least"),
    ]


def drop(folder: Path, *, quick: bool) -> list[Figure]:
    """A large scan dropped on the window, to its first pixels in the three slice views."""
    scan = large_scan(folder / "large.nii")
    runs = _drops(scan, folder, 2 if quick else 5)
    times = [run["seconds"] * 1000 for run in runs]
    detail = {**median_of(times), "scan": _described(scan)}
    return [Figure("drop to first pixels in three views, median", statistics.median(times), "ms", 200, detail=detail)]


def drop_compressed(folder: Path, *, quick: bool) -> list[Figure]:
    """The same scan compressed, to the first of its pixels in the three slice views, and to all of it."""
    scan = large_compressed_scan(folder)
    runs = _drops(scan, folder, 2 if quick else 5)
    first, whole = ([run[key] * 1000 for run in runs] for key in ("seconds", "whole_seconds"))
    # The rest of what is taken is the picture buffers of the views and what painting and dressing them imports.
    taken = [run["taken_bytes"] / (2 * math.prod(LARGE_SHAPE)) for run in runs]
    detail = {**median_of(first), "whole": median_of(whole), "memory_of_its_voxels": taken, "scan": _described(scan)}
    return [
        # The shortest: what else the computer does only makes a time longer.
        Figure("drop of a .nii.gz to first pixels, shortest", min(first), "ms", 250, detail=detail),
        Figure("memory taken by then and to the whole, least", min(taken), "x", 1.15, detail=detail),
    ]


def _drops(scan: Path, home: Path, count: int) -> list[dict[str, Any]]:
    runs = [open_window("drop", str(scan), home=home) for _ in range(count)]
    failed = [run["error"] for run in runs if "error" in run] + [
        f"blank: {run['blank']}" for run in runs if run.get("blank")
    ]
    if failed:
        raise RuntimeError(f"drop: {failed[0]}")
    return runs


def _described(scan: Path) -> str:
    shape = " x ".join(map(str, LARGE_SHAPE))
    return f"{shape} int16, {scan.stat().st_size / 1e6:.0f} MB, in the disk cache"


def lateness(folder: Path, *, quick: bool) -> list[Figure]:
    """How late a 10 ms timer of the window is while it trains."""
    seconds = 10 if quick else 60
    data = small_dataset(folder / "data")
    file = experiment(folder / "lateness.yaml", data, epochs=10_000)
    run = open_window("training", str(file), str(seconds), home=folder, timeout=seconds + 240)
    _raise_error(run)
    detail = {"p50_ms": run["p50_ms"], "ticks": run["ticks"], "over_s": seconds, "before_training": run["idle"]}
    return [
        Figure("event loop late while training, p99", run["p99_ms"], "ms", 16, detail=detail),
        Figure("event loop late while training, worst", run["worst_ms"], "ms", 100, detail=detail),
    ]


def throughput(folder: Path, *, quick: bool) -> list[Figure]:
    """Training steps a second with the window open, against the same run from the command line, taking turns."""
    data = small_dataset(folder / "data")
    threads = devices.threads(beside_window=True)
    file = experiment(folder / "throughput.yaml", data, epochs=8 if quick else 20, threads=threads)
    with_window: list[float] = []
    without: list[float] = []
    for _ in range(1 if quick else 3):
        without.append(_steps_per_second(folder, train_without_window(file, folder)))
        run = open_window("training", str(file), "0", home=folder, timeout=1200)
        _raise_error(run)
        with_window.append(_steps_per_second(folder, run["run"]))
    ratio = statistics.median(with_window) / statistics.median(without)
    detail = {"with_window_steps_per_s": with_window, "without_steps_per_s": without, "threads": threads}
    return [Figure("training speed with the window, of that without", ratio, "x", 0.95, "at least", detail)]


MEASURES: dict[str, Callable[..., list[Figure]]] = {
    "start": start,
    "drop": drop,
    "drop_compressed": drop_compressed,
    "lateness": lateness,
    "throughput": throughput,
    "estimates": estimates,
    "loading": loading,
    "series": series,
    "cold": cold,
    "runtimes": runtimes,
    "sgemm": sgemm,
    "swinunetr": swinunetr,
    "swin_encoder": swin_encoder,
    "risk_step": risk_step,
    "preparing": preparing,
    "waiting": waiting,
    "stay_loading": stay_loading,
    "table_steps": table_steps,
    "table_memory": table_memory,
    "table_lateness": table_lateness,
    "peer_prediction": peer_prediction,
    "peer_training": peer_training,
}


def _steps_per_second(home: Path, run_id: str) -> float:
    """From the second epoch on, validation included, by the times that the run itself recorded."""
    from core.catalog import Catalog

    with Catalog(home / "catalog.sqlite") as catalog:
        points = [point for point in catalog.metrics(run_id, key="train/loss") if point.epoch >= 2]
    return (points[-1].step - points[0].step) / (points[-1].time - points[0].time)


def _raise_error(run: dict[str, object]) -> None:
    if "error" in run:
        raise RuntimeError(f"training from the window: {run['error']}")
