"""Predictions on the CPU: a cold one from the command line, and the bundled network in both runtimes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.inference.network import load_network
from core.inference.package import find_package
from core.inference.runtime import load
from core.inference.runtime.on_torch import TorchRuntime
from tests.benchmarks.materials import small_dataset
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.window import CHECKOUT

MODEL = "hippocampus"
WINDOW = (40, 56, 40)  # a crop around one hippocampus


def cold(folder: Path, *, quick: bool) -> list[Figure]:
    """A crop predicted with the bundled model, from the process's start to its end."""
    scan = small_dataset(folder / "data", cases=1) / "images" / "case_000.nii.gz"
    _predict(scan, folder)  # the first one fills the disk cache and the home folder
    seconds = [_predict(scan, folder) for _ in range(3 if quick else 10)]
    middle = statistics.median(seconds)
    return [Figure("cold prediction of a crop, median", middle, "s", 2.0, detail=median_of(seconds))]


def runtimes(folder: Path, *, quick: bool) -> list[Figure]:
    """How much faster OpenVINO carries out the bundled network than torch: same weights, same window, taking turns."""
    package = find_package(MODEL)
    ours, theirs = load(package, "cpu"), TorchRuntime(load_network(package))
    if isinstance(ours, TorchRuntime):
        raise RuntimeError("OpenVINO is absent, or the bundled model has no graph")
    window = np.random.default_rng(0).normal(size=(1, *WINDOW)).astype(np.float32)
    for runtime in (ours, theirs):
        _seconds(runtime, window)  # the first pass allocates
    passes = [(_seconds(ours, window), _seconds(theirs, window)) for _ in range(5 if quick else 20)]
    openvino, torch = zip(*passes, strict=True)
    # The least is what the arithmetic takes; what is above it is the machine's other work.
    detail = {"window": WINDOW, "openvino_s": median_of(openvino), "torch_s": median_of(torch)}
    ratio = min(torch) / min(openvino)
    return [Figure("OpenVINO on the CPU, of torch's speed", ratio, "x", 1.3, "at least", detail)]


def _predict(scan: Path, home: Path) -> float:
    settings = {**os.environ, "ISOCENTER_HOME": str(home)}
    command = [sys.executable, "-m", "gui", "predict", str(scan), "--model", MODEL, "--out", str(home / "out")]
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=CHECKOUT, env=settings, capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"predicting from the command line: {done.stderr[-2000:]}")
    return seconds


def _seconds(runtime: Callable[[Any], Any], window: Any) -> float:
    began = time.perf_counter()
    runtime(window)
    return time.perf_counter() - began
