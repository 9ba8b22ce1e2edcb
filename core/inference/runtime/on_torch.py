"""The network carried out by torch, on any of its devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.inference.package import Activation

Array = np.ndarray[Any, Any]


def activated(logits: Tensor, activation: Activation) -> Tensor:
    """(B, outputs, ...) raw answers -> probabilities; with "none" as they are."""
    if activation == "none":
        return logits
    return logits.sigmoid() if activation == "sigmoid" else logits.softmax(dim=1)


class TorchRuntime:
    """A network in evaluation mode on a device."""

    window: tuple[int, ...] | None = None

    def __init__(self, network: nn.Module, device: str = "cpu", *, activation: Activation = "softmax") -> None:
        self.device = device
        self._activation = activation
        self._network = network.to(device).eval()

    def __call__(self, window: Array) -> Array:
        """(channels, x, y, z) float32 -> (outputs, x, y, z) float32, what the activation makes of the raw answers."""
        import torch

        with torch.inference_mode():
            logits = self._network(torch.from_numpy(window)[None].to(self.device)).float()
            found: Array = activated(logits, self._activation)[0].cpu().numpy()
        return found
