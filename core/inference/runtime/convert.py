"""Making a package's graph for OpenVINO: once, checked against torch, and kept for the predictions that follow.

`python -m core.inference.runtime.convert FOLDER` does so in a process of its own, for the package in that folder.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import IsocenterError
from core.files import write_bytes
from core.inference.network import load_network
from core.inference.package import Activation, ModelPackage
from core.inference.runtime import graph
from core.inference.runtime.choice import has_openvino
from core.inference.runtime.graph import Graph
from core.inference.runtime.on_openvino import OpenVinoRuntime, openvino
from core.inference.runtime.on_torch import TorchRuntime, activated
from core.inference.sliding import window_size

Array = np.ndarray[Any, Any]
log = logging.getLogger(__name__)
TOLERANCE = 1e-3  # of a probability


def prepare(package: ModelPackage) -> Path | None:
    """Make the package's graph and keep it in the home folder; the file, or None where that cannot be done.

    Raises ModelError where the package itself is broken.
    """
    if not has_openvino():
        return None
    found = convert(package)
    if found is None:
        return None
    path = graph.cache_path(package)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_bytes(path, found.pack())
    return path


def prepare_all(package: ModelPackage) -> bool:
    """`prepare` for each network that lacks its graph; whether all have one now."""
    found = [graph.find(one) or prepare(one) for one in package.networks]
    return all(found)


def convert(package: ModelPackage) -> Graph | None:
    """The package's graph, for windows of any size where the network allows that, else of the patch's size.

    None where OpenVINO cannot express the network or answers unlike torch. Raises ModelError for a broken package.
    """
    weights = package.read_weights()
    network = load_network(package)
    plan, divisor = package.plan, getattr(package.network, "divisor", 1)
    window = window_size(plan.patch_size, plan.patch_size, divisor)
    larger = tuple(int(n) for n in np.add(window, divisor))
    activation = package.activation
    tries: tuple[Any, ...] = ((True, (window, larger)), (False, (window,)))
    if package.pipeline is not None:  # another program's windows are the patch, whatever the network would take
        window = plan.patch_size
        tries = ((False, (window,)),)
    for free, windows in tries:
        try:
            made = _graph(network, plan.channels, window, free, weights, activation)
            difference = _difference(made, weights, network, plan.channels, windows, activation)
        except Exception as error:
            # The converter and the networks raise whatever they like; without a graph torch predicts as before.
            log.info("%s: no graph for %s (%s)", package.name, "every window" if free else window, error)
            continue
        if difference <= TOLERANCE:
            return made
        log.info("%s: its graph differs from torch by %.2g", package.name, difference)
    return None


def _graph(
    network: Any, channels: int, window: tuple[int, ...], free: bool, weights: bytes, activation: Activation
) -> Graph:  # fmt: skip
    import torch

    library = openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    class Probabilities(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: Any) -> Any:
            return activated(self.network(image), activation)

    example = torch.from_numpy(_image(channels, window))[None]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every shape that it takes as fixed; the check finds those
        traced = torch.jit.trace(Probabilities().eval(), example, check_trace=False)
    # OpenVINO's own convert_model does the same and reports to its maker; this does not.
    front_end = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, example_input=(example,))  # must live until the model is made
    model = front_end.convert(front_end.load(decoder))
    model.reshape([1, channels, *([-1] * 3 if free else window)])
    half = b'"dtype":"F16"' in weights[: 8 + int.from_bytes(weights[:8], "little")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        library.save_model(model, path, compress_to_fp16=half)
        return graph.pointing_into(weights, path.read_bytes(), path.with_suffix(".bin").read_bytes())


def _difference(
    made: Graph,
    weights: bytes,
    network: Any,
    channels: int,
    windows: tuple[tuple[int, ...], ...],
    activation: Activation,
) -> float:
    """The largest difference of a probability, or of a raw answer, between the two runtimes."""
    ours, theirs = OpenVinoRuntime(made, weights), TorchRuntime(network, activation=activation)
    images = [_image(channels, window) for window in windows]
    return max(float(np.abs(ours(image) - theirs(image)).max()) for image in images)


def _image(channels: int, window: tuple[int, ...]) -> Array:
    """Something like a standardised scan: smooth shapes and noise, the same at every call."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    shapes = ndimage.gaussian_filter(rng.normal(size=(channels, *window)), (0, 3, 3, 3))
    image = shapes / shapes.std() + 0.1 * rng.normal(size=shapes.shape)
    return image.astype(np.float32)


def main() -> int:
    if hasattr(os, "nice"):
        os.nice(10)
    try:
        return 0 if prepare_all(ModelPackage.read(Path(sys.argv[1]))) else 1
    except IsocenterError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
