"""Which runtime a prediction takes. On a CPU with OpenVINO nothing here imports torch, whose import takes seconds."""

from __future__ import annotations

import importlib.util
import logging
import platform
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from core.errors import ConfigError
from core.inference.package import ModelPackage
from core.inference.runtime import graph

Array = np.ndarray[Any, Any]
log = logging.getLogger(__name__)

_loaded: dict[tuple[str, str, str], Runtime] = {}
_lock = threading.Lock()


class Runtime(Protocol):
    """A network ready to be used: (channels, x, y, z) float32 window -> (classes, x, y, z) float32 probabilities.

    For a package with a pipeline of another program the answers are the network's own, without activation: such
    programs blend them before they make probabilities of them.
    """

    device: str
    window: tuple[int, ...] | None  # the only size of a window that it takes; None: any that suits the network

    def __call__(self, window: Array) -> Array: ...


class Ensemble:
    """Several networks of one kind as one: the mean of their answers, in as many times the time."""

    def __init__(self, runtimes: Sequence[Runtime]) -> None:
        self.device = runtimes[0].device
        # One that takes a single size rules it for all: the others take that too.
        self.window = next((one.window for one in runtimes if one.window is not None), None)
        self._runtimes = runtimes

    def __call__(self, window: Array) -> Array:
        mean: Array = self._runtimes[0](window)
        for one in self._runtimes[1:]:
            mean = mean + one(window)
        return mean / np.float32(len(self._runtimes))


def load(package: ModelPackage, device: str = "auto") -> Runtime:
    """The package's network, or all of an ensemble's, with their weights; kept, so that the second call is free.

    Raises ModelError where the weights are damaged or do not fit the network, ConfigError for an absent device.
    """
    device = choose_device(device)
    graphs = device == "cpu" and has_openvino()
    networks = [(one, graph.find(one) if graphs else None) for one in package.networks]
    # The graphs let one that has been made meanwhile take the place of torch.
    shas = "".join(f"{one.manifest.sha256} {found} " for one, found in networks)
    key = (repr((package.manifest.network, package.activation)), device, shas)
    with _lock:
        if key not in _loaded:
            _loaded.clear()  # one model at a time is what people use; two would double the memory
            runtimes = [_load(one, device, found) for one, found in networks]
            _loaded[key] = runtimes[0] if len(runtimes) == 1 else Ensemble(runtimes)
        return _loaded[key]


def _load(package: ModelPackage, device: str, found: Path | None) -> Runtime:
    if found is not None:
        from core.inference.runtime.on_openvino import OpenVinoRuntime

        try:
            return OpenVinoRuntime(graph.read(found), package.read_weights())
        except graph.Unusable as error:
            log.warning("%s is predicted with torch; its graph for OpenVINO is unusable: %s", package.name, error)
    from core.inference.network import load_network
    from core.inference.runtime.on_torch import TorchRuntime

    return TorchRuntime(load_network(package), device, activation=package.activation)


def warm_up(packages: Iterable[ModelPackage]) -> None:
    """Import what predictions with these packages on the best device will need."""
    ready = choose_device() == "cpu" and has_openvino()
    if ready:
        from core.inference.runtime.on_openvino import openvino

        openvino()
    if not ready or any(graph.find(one) is None for package in packages for one in package.networks):
        import torch  # noqa: F401


def lacks_graph(package: ModelPackage) -> bool:
    """Whether predictions with the package would be quicker here if its graph, or each network's, were made."""
    lacking = any(graph.find(one) is None for one in package.networks)
    return lacking and choose_device() == "cpu" and has_openvino()


def has_openvino() -> bool:
    return importlib.util.find_spec("openvino") is not None


def choose_device(device: str = "auto") -> str:
    """The torch device for "auto", "cpu", "cuda" or "mps". Raises ConfigError where there is no such device."""
    if device == "cpu" or (device == "auto" and not _may_have_gpu()):
        return "cpu"
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there.get(device.partition(":")[0], False):
        here = ", ".join(name for name, is_there in there.items() if is_there)
        raise ConfigError(f"there is no device {device!r} here", mend=f"Choose one of: auto, {here}.")
    return device


def _may_have_gpu() -> bool:
    """Whether it is worth importing torch to ask it for a GPU: it is built for one, and a driver is there."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return False
    libraries = Path(torch.origin).parent / "lib"
    if not any(libraries.glob("*torch_cuda*")) and not any(libraries.glob("*torch_hip*")):
        return False
    nodes = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA, Windows' GPU inside its Linux, AMD
    return not sys.platform.startswith("linux") or any(Path(node).exists() for node in nodes)
