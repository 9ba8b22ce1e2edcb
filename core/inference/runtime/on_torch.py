"""The network carried out by torch, on any of its devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray[Any, Any]


class TorchRuntime:
    """A network in evaluation mode on a device."""

    window: tuple[int, ...] | None = None

    def __init__(self, network: nn.Module, device: str = "cpu", *, softmax: bool = True) -> None:
        self.device = device
        self._softmax = softmax
        self._network = network.to(device).eval()

    def __call__(self, window: Array) -> Array:
        """(channels, x, y, z) float32 -> (outputs, x, y, z) float32: probabilities, or raw answers without softmax."""
        import torch

        with torch.inference_mode():
            logits = self._network(torch.from_numpy(window)[None].to(self.device)).float()
            found: Array = (torch.softmax(logits, dim=1) if self._softmax else logits)[0].cpu().numpy()
        return found
