"""Our predictions and training beside those of the programs that people use now, in one run on one machine.

The peers are no dependencies. They are measured where a Python that has nnunetv2 beside this project's own packages is
named by ISOCENTER_PEER_PYTHON.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from core.catalog import Catalog
from tests.benchmarks.materials import BATCH, FEATURES, PATCH, experiment, scene_dataset, small_dataset
from tests.benchmarks.report import Figure
from tests.benchmarks.window import CHECKOUT, train_without_window

PYTHON = "ISOCENTER_PEER_PYTHON"


def peer_prediction(folder: Path, *, quick: bool) -> list[Figure]:
    """A volume of 160 x 192 x 160 through one U-Net's weights, trained for it first, in the same windows by all.

    The network is trained for 600 steps, and mirrored along all axes, as nnU-Net trains one for its default predictor.
    Like is held against like: our plain predictions beside MONAI's and nnU-Net's without mirroring, those
    mirrored where the structures are beside nnU-Net's default, which mirrors everywhere.
    """
    data = scene_dataset(folder / "data")
    file = experiment(
        folder / "scene.yaml", data, (32, 32, 32), epochs=12 if quick else 60, batch_size=4, patches_per_case=8,
        validate_every=10, ema=0.99,
    )  # fmt: skip
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    tree["data"]["augment"] = {"flip_axes": ["x", "y", "z"]}
    file.write_text(yaml.safe_dump(tree), encoding="utf-8")
    run = train_without_window(file, folder)
    sides, window = ("96,96,96", "48,48,48") if quick else ("160,192,160", "96,96,96")
    found = peer_report("inspect_peer_prediction", run, sides, window, home=folder)
    seconds, dice = found["seconds"], found["dice"]
    detail: dict[str, Any] = {"volume": sides, "window": window, "seconds": seconds, "dice": dice}
    plain = max(abs(dice["ours"] - dice[name]) for name in ("nnunet_once", "monai"))
    mirrored = abs(dice["ours_mirrored"] - dice["nnunet"])
    faster = seconds["nnunet"] / seconds["ours_mirrored"], seconds["monai"] / seconds["ours"]
    return [
        Figure("prediction mirrored, of nnU-Net's default speed", faster[0], "x", 5.0, "at least", detail),
        Figure("prediction mirrored, Dice beside nnU-Net's default", mirrored, "", 0.002, detail=detail),
        Figure("prediction plain, of MONAI's speed", faster[1], "x", 1.5, "at least", detail),
        Figure("prediction plain, Dice beside MONAI's and nnU-Net's", plain, "", 0.002, detail=detail),
    ]


def peer_training(folder: Path, *, quick: bool) -> list[Figure]:
    """nnU-Net's plain U-Net trained by our engine and by its own trainer, in turns: same layers, patch and batch.

    Ours trains in the precision that its probe chooses here, and in 32 bits for comparison: nnU-Net's trainer
    takes 32 bits on every CPU.
    """
    data = small_dataset(folder / "data", cases=12)
    steps, turns = (20, 1) if quick else (100, 3)
    stages = len(FEATURES)
    network = {
        "name": "nnunet", "residual": False, "features": list(FEATURES), "blocks": [2] * stages,
        "decoder_blocks": [1] * (stages - 1),
    }  # fmt: skip
    tree = {
        "name": "peer", "data": {"path": str(data), "patch_size": list(PATCH), "val_fraction": 0.1},
        "model": network, "optimizer": {"name": "sgd"}, "scheduler": {"name": "poly"},
        "trainer": {
            "epochs": 3, "batch_size": BATCH, "patches_per_case": -(-steps * BATCH // 10), "validate_every": 1000,
            "threads": os.cpu_count(),
        },
    }  # fmt: skip
    ours: dict[str, list[float]] = {"auto": [], "32": []}
    theirs: list[float] = []
    for turn in range(turns):
        for precision, speeds in ours.items():
            file = folder / f"peer-{precision}.yaml"
            trainer = {**tree["trainer"], "precision": precision}  # type: ignore[dict-item]
            file.write_text(yaml.safe_dump({**tree, "trainer": trainer}), encoding="utf-8")
            speeds.append(_speed(folder, train_without_window(file, folder)))
        found = peer_report("inspect_peer_training", str(data), str(steps), home=folder / f"nnunet-{turn}")
        theirs.append(found["patches_per_s"])
    # The fastest turn of each is what the program costs; what is above it is the machine's other work.
    in_32_bits = max(ours["32"]) / max(theirs)
    detail = {
        "ours_patches_per_s": ours, "nnunet_patches_per_s": theirs, "ratio_in_32_bits": in_32_bits,
        "features": FEATURES, "patch": PATCH,
    }  # fmt: skip
    return [Figure("training, of nnU-Net's speed", max(ours["auto"]) / max(theirs), "x", 1.5, "at least", detail)]


def _speed(home: Path, run: str) -> float:
    """The fastest epoch of a run, in patches a second, as it recorded them."""
    with Catalog(home / "catalog.sqlite") as catalog:
        return max(point.value for point in catalog.metrics(run, key="train/samples_per_s"))


def peer_report(script: str, *arguments: str, home: Path, timeout: float = 3600.0) -> dict[str, Any]:
    """What a script of this folder prints when the peers' Python runs it. Raises RuntimeError where there is none."""
    python = os.environ.get(PYTHON)
    if not python:
        raise RuntimeError(f"no peer is at hand; name a Python that has nnunetv2 in {PYTHON}")
    paths = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    settings = {**os.environ, "ISOCENTER_HOME": str(home), "PYTHONPATH": paths}
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (home / name).mkdir(parents=True, exist_ok=True)
        settings[name] = str(home / name)
    done = subprocess.run(
        [python, "-m", f"tests.benchmarks.{script}", *arguments],
        cwd=CHECKOUT, env=settings, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{script}: {done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return report
