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

from tests.benchmarks.report import Figure
from tests.benchmarks.window import CHECKOUT

PYTHON = "ISOCENTER_PEER_PYTHON"


def peer_prediction(folder: Path, *, quick: bool) -> list[Figure]:
    """A volume of 160 x 192 x 160 through the bundled network's weights, in windows of 96 voxels; a half-overlapping
    grid of windows for all. Their Dice is with each other: the weights are for crops, not for this head."""
    sides, window = ("96,96,96", "48,48,48") if quick else ("160,192,160", "96,96,96")
    found = peer_report("inspect_peer_prediction", sides, window, home=folder)
    seconds, dice = found["seconds"], found["dice"]
    shape = " x ".join(map(str, found["shape"]))
    detail: dict[str, Any] = {"shape": shape, "window": window, "seconds": seconds, "dice": dice}
    return [
        Figure(
            "prediction, of nnU-Net's default speed", seconds["nnunet"] / seconds["ours"], "x", 5.0, "at least", detail
        ),
        Figure("prediction, of MONAI's speed", seconds["monai"] / seconds["ours"], "x", 1.5, "at least", detail),
        Figure("difference of Dice from nnU-Net and MONAI", 1 - min(dice.values()), "", 0.002, detail=detail),
    ]


def peer_report(script: str, *arguments: str, home: Path, timeout: float = 3600.0) -> dict[str, Any]:
    """What a script of this folder prints when the peers' Python runs it. Raises RuntimeError where there is none."""
    python = os.environ.get(PYTHON)
    if not python:
        raise RuntimeError(f"no peer is at hand; name a Python that has nnunetv2 in {PYTHON}")
    paths = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    settings = {**os.environ, "ISOCENTER_HOME": str(home), "PYTHONPATH": paths}
    settings |= {name: str(home) for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    done = subprocess.run(
        [python, "-m", f"tests.benchmarks.{script}", *arguments],
        cwd=CHECKOUT, env=settings, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{script}: {done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return report
