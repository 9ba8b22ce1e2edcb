"""One volume through the same U-Net by nnU-Net's predictor, MONAI's inferer and ours; prints JSON.

    python -m tests.benchmarks.inspect_peer_prediction RUN SIDES WINDOW

RUN: whose weights are taken. SIDES, WINDOW: voxels of the volume and of a window, such as 160,192,160 96,96,96.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from monai.inferers.inferer import SlidingWindowInferer

from core.catalog import Catalog
from core.data.prepare import standardise
from core.inference.assemble import Facts, assemble
from core.inference.mirroring import Mirror
from core.inference.network import load_network
from core.inference.runtime import load
from core.inference.runtime.convert import prepare as prepare_graph
from core.inference.runtime.on_torch import TorchRuntime
from core.inference.sliding import OVERLAP, probabilities
from tests.benchmarks.materials import scene

Array = np.ndarray[Any, Any]


def main() -> None:
    run_id = sys.argv[1]
    sides, window = (tuple(int(n) for n in text.split(",")) for text in sys.argv[2:4])
    image, truth = scene(sides, seed=99)
    with Catalog() as catalog, tempfile.TemporaryDirectory() as folder:
        package = assemble(
            catalog.run(run_id), catalog.checkpoint(run_id, "best"), Path(folder), name="peer", version="1",
            facts=Facts(),
        )  # fmt: skip
        prepare_graph(package)
        network, runtime = load_network(package).eval(), load(package, "cpu")
    if isinstance(runtime, TorchRuntime):
        raise SystemExit("OpenVINO is absent, or its graph could not be made")
    image = standardise(image)[None]
    seconds: dict[str, float] = {}

    def timed(name: str, run: Any) -> Array:
        began = time.perf_counter()
        found: Array = run()
        seconds[name] = time.perf_counter() - began
        return found

    def ours(mirror: Mirror) -> Array:
        return probabilities(runtime, image, patch=window, divisor=8, mirror=mirror, mirror_axes=("x", "y", "z"))

    runtime(image[(slice(None), *(slice(0, n) for n in window))])  # the first pass allocates
    answers = {"ours": timed("ours", lambda: ours(False))}
    answers["ours_mirrored"] = timed("ours_mirrored", lambda: ours("structures"))
    with torch.inference_mode():
        answers["monai"] = timed("monai", lambda: _monai(network, image, window, OVERLAP))
        answers["monai_default"] = timed("monai_default", lambda: _monai(network, image, window, 0.25, "constant"))
        answers["nnunet_once"] = timed("nnunet_once", lambda: _nnunet(network, image, window, mirroring=False))
        answers["nnunet"] = timed("nnunet", lambda: _nnunet(network, image, window, mirroring=True))
    # The machine's other work makes times longer only; nnU-Net's default takes too long for a second turn.
    timed("again", lambda: ours(False))
    seconds["ours"] = min(seconds["ours"], seconds.pop("again"))
    timed("again", lambda: ours("structures"))
    seconds["ours_mirrored"] = min(seconds["ours_mirrored"], seconds.pop("again"))
    with torch.inference_mode():
        timed("again", lambda: _monai(network, image, window, OVERLAP))
    seconds["monai"] = min(seconds["monai"], seconds.pop("again"))
    dice = {name: _dice(found.argmax(axis=0), truth) for name, found in answers.items()}
    print(json.dumps({"seconds": seconds, "dice": dice}))


def _nnunet(network: Any, image: Array, window: tuple[int, ...], *, mirroring: bool) -> Array:
    """As nnU-Net's predictor does it by default: half-overlapping windows, Gaussian weights, mirrored eight times."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        use_mirroring=mirroring, perform_everything_on_device=True, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.network = network
    predictor.configuration_manager = SimpleNamespace(patch_size=list(window))
    predictor.label_manager = SimpleNamespace(num_segmentation_heads=3)
    predictor.allowed_mirroring_axes = (0, 1, 2)
    logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(image))
    return logits.float().softmax(dim=0).numpy()


def _monai(network: Any, image: Array, window: tuple[int, ...], overlap: float, mode: str = "gaussian") -> Array:
    inferer = SlidingWindowInferer(window, sw_batch_size=1, overlap=overlap, mode=mode)
    return inferer(torch.from_numpy(image[None]), network)[0].softmax(dim=0).numpy()


def _dice(one: Array, other: Array) -> float:
    """The mean over structures of how much two label maps overlap."""
    scores = []
    for label in (1, 2):
        a, b = one == label, other == label
        scores.append(2 * float((a & b).sum()) / max(float(a.sum() + b.sum()), 1.0))
    return float(np.mean(scores))


if __name__ == "__main__":
    main()
