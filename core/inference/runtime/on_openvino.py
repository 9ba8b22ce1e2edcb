"""The network carried out by OpenVINO on the CPU: faster than torch there, and imported in a twentieth of the time."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import numpy as np

from core.inference.runtime.graph import Graph, Unusable

Array = np.ndarray[Any, Any]


def openvino() -> Any:
    """The library, with its telemetry out of reach.

    Importing openvino imports its converter, which at once reports to its maker over the network. Neither that
    converter nor the package that does the reporting can be imported in this process; nothing here needs them.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)
    modules.setdefault("openvino.tools.ovc", None)
    import openvino

    return openvino


def settings() -> dict[str, Any]:
    """The quickest single answer, in float32 on every CPU, on `OMP_NUM_THREADS` threads where that is set, as torch."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    chosen: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": True, "INFERENCE_PRECISION_HINT": "f32"
    }  # fmt: skip
    return chosen | ({"INFERENCE_NUM_THREADS": int(threads)} if threads.isdigit() and int(threads) > 0 else {})


class OpenVinoRuntime:
    """A graph and its weights, compiled for this CPU. Raises Unusable where that fails."""

    device = "cpu"

    def __init__(self, graph: Graph, weights: bytes) -> None:
        try:
            core = openvino().Core()
            model = core.read_model(graph.xml, graph.with_weights(weights))
            shape = model.input(0).partial_shape
            self.window = None if shape.is_dynamic else tuple(int(side) for side in shape.to_shape()[2:])
            self._request = core.compile_model(model, "CPU", settings()).create_infer_request()
        except (ImportError, OSError, RuntimeError) as error:
            raise Unusable(" ".join(str(error).split())[:300] or type(error).__name__) from error
        self._one_at_a_time = threading.Lock()

    def __call__(self, window: Array) -> Array:
        """(channels, x, y, z) float32 -> (outputs, x, y, z) float32, what the graph was made to give."""
        with self._one_at_a_time:
            return np.array(self._request.infer({0: window[None]}, share_inputs=True)[0][0])
