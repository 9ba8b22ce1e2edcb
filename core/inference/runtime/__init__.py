"""What carries a network out: torch on a GPU, OpenVINO on a CPU where the package has a graph for it, else torch."""

from core.inference.runtime.choice import Runtime, choose_device, lacks_graph, load, warm_up

__all__ = ["Runtime", "choose_device", "lacks_graph", "load", "warm_up"]
