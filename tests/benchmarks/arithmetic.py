"""How near a prediction on the CPU comes to what the machine can do, and to what MONAI makes of the same network."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from core.catalog import Catalog
from core.data.plan import Label, Plan
from core.inference.manifest import Manifest, Training
from core.inference.network import load_network
from core.inference.package import MANIFEST, WEIGHTS, ModelPackage
from core.inference.runtime.convert import convert
from core.inference.runtime.on_openvino import OpenVinoRuntime
from tests.benchmarks.materials import experiment, small_dataset
from tests.benchmarks.report import Figure, median_of
from tests.benchmarks.window import train_without_window

SIDES = (64, 64, 64)
HEAD = (88, 120, 88)  # whole patches of both encoders: MONAI's pads 91 to 92 voxels, ours cuts it to 88
MATRIX = 1536


def sgemm(folder: Path, *, quick: bool) -> list[Figure]:
    """The U-Net's floating point operations a second under OpenVINO, of what a large matrix product reaches."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    package = _package(folder, {"name": "unet", "channels": [32, 64, 128, 256]}, SIDES)
    network, window = load_network(package).eval(), _window(SIDES)
    with FlopCounterMode(display=False) as counted, torch.inference_mode():
        network(torch.from_numpy(window)[None])
    runtime = _openvino(package)
    torch.set_num_threads(os.cpu_count() or 1)
    one, other = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    out = torch.empty(MATRIX, MATRIX)
    runtime(window)
    turns = [
        (min(_seconds(lambda: torch.mm(one, other, out=out)) for _ in range(4)), _seconds(lambda: runtime(window)))
        for _ in range(4 if quick else 12)
    ]
    products, passes = zip(*turns, strict=True)
    peak, rate = 2 * MATRIX**3 / min(products), counted.get_total_flops() / min(passes)
    detail = {
        "window": SIDES, "gflop": counted.get_total_flops() / 1e9, "sgemm_gflop_per_s": peak / 1e9,
        "openvino_gflop_per_s": rate / 1e9,
    }  # fmt: skip
    return [Figure("U-Net under OpenVINO, of the rate of sgemm", rate / peak, "x", 0.85, "at least", detail)]


def swin_encoder(folder: Path, *, quick: bool) -> list[Figure]:
    """Our 3D Swin encoder at full size against MONAI's SwinUNETR encoder, eager and forward, on one thread."""
    command = [sys.executable, "-m", "tests.benchmarks.inspect_swin", "2" if quick else "7", *map(str, HEAD)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    if run.returncode:
        raise RuntimeError(f"swin_encoder: {run.stderr.strip().splitlines()[-1]}")
    found = json.loads(run.stdout)
    return [
        Figure("Swin encoder, times as fast as MONAI's", found["ratio"], "x", 1.5, "at least", detail=found),
        Figure("its attention, farthest from the plain one", found["farthest_from_plain"], "", 1e-4),
    ]


def swinunetr(folder: Path, *, quick: bool) -> list[Figure]:
    """Swin UNETR as we predict with it on a CPU, against the same network of MONAI's in torch."""
    import torch

    package = _package(folder, {"name": "swinunetr", "width": 24}, SIDES)
    network, runtime, window = load_network(package).eval(), _openvino(package), _window(SIDES)
    torch.set_num_threads(os.cpu_count() or 1)
    image = torch.from_numpy(window)[None]

    def monai() -> Any:
        with torch.inference_mode():
            return network(image)

    monai()
    runtime(window)
    turns = [(_seconds(monai), _seconds(lambda: runtime(window))) for _ in range(3 if quick else 8)]
    theirs, ours = zip(*turns, strict=True)
    detail = {"window": SIDES, "monai_s": median_of(theirs), "ours_s": median_of(ours)}
    return [Figure("Swin UNETR on the CPU, of MONAI's speed", min(theirs) / min(ours), "x", 4.0, "at least", detail)]


def waiting(folder: Path, *, quick: bool) -> list[Figure]:
    """The part of a training epoch that is not spent in steps: waiting for patches, and what the engine costs."""
    data = small_dataset(folder / "data")
    file = experiment(
        folder / "waiting.yaml", data, epochs=3 if quick else 6, patches_per_case=4, threads=os.cpu_count()
    )
    run = train_without_window(file, folder)
    with Catalog(folder / "catalog.sqlite") as catalog:
        shares = [point.value for point in catalog.metrics(run, key="train/waiting_share") if point.epoch]
    detail = {"epochs": shares}
    return [Figure("training, part of an epoch outside of steps", min(shares), "", 0.05, detail=detail)]


def _package(folder: Path, network: dict[str, Any], sides: tuple[int, int, int]) -> ModelPackage:
    """A network with random weights as a package."""
    import torch
    from safetensors.torch import save

    from core.inference.manifest import network_of
    from core.models.weights import own_tensors

    torch.manual_seed(0)
    made = own_tensors(network_of(network).build(1, 3))
    weights = save({name: tensor.detach().contiguous() for name, tensor in made.items()})
    plan = Plan(
        spacing_mm=(1.0, 1.0, 1.0), patch_size=sides,
        labels=[Label(value=value, name=f"structure {value}") for value in (1, 2)],
    )  # fmt: skip
    manifest = Manifest(
        name="untrained", version="1", title="Untrained", network=network, plan=plan,
        training=Training(data="none"), sha256=hashlib.sha256(weights).hexdigest(),
    )  # fmt: skip
    (folder / WEIGHTS).write_bytes(weights)
    text = yaml.safe_dump(manifest.model_dump(mode="json", exclude_none=True))
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return ModelPackage.read(folder)


def _openvino(package: ModelPackage) -> OpenVinoRuntime:
    graph = convert(package)
    if graph is None:
        raise RuntimeError("OpenVINO is absent, or cannot express the network")
    return OpenVinoRuntime(graph, package.read_weights())


def _window(sides: tuple[int, int, int]) -> Any:
    return np.random.default_rng(0).normal(size=(1, *sides)).astype(np.float32)


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
