"""Two networks that are trained side by side, so that rows are kept out for judging and yet none is lost.

A run's validation rows say when to stop, and give its temperature, threshold and figures: no network that learned from
them may do that. But on a small table they are missed. So `judged` is trained without them, and `kept` with them.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Part = Literal["judged", "kept"]


class Pair(nn.Module):
    """Two networks of the same settings; it answers as `judged` does."""

    def __init__(self, judged: nn.Module, kept: nn.Module) -> None:
        super().__init__()
        self.judged, self.kept = judged, kept

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        out: Tensor = self.judged(numbers, codes)
        return out


def weights_of_part(weights: bytes, part: Part) -> bytes:
    """The weights of one network of a pair, as safetensors, out of those of both."""
    from safetensors.torch import load, save

    prefix = f"{part}."
    own = {name.removeprefix(prefix): tensor for name, tensor in load(weights).items() if name.startswith(prefix)}
    return bytes(save(own))
