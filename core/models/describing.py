"""What a network for scans costs before any of it is made: parameters, operations, memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SIDES = (96, 96, 96)


@dataclass(frozen=True)
class ScanNetwork:
    """parameters; forward_flops (two for a multiplication and addition) of one patch; bytes of the weights.

    kept_bytes: what a training step in 32 bits keeps of a patch for its backward pass, weights left out.
    """

    parameters: int
    patch: tuple[int, ...]
    forward_flops: int
    weight_bytes: int
    kept_bytes: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """For a person."""
        patch = " x ".join(map(str, self.patch))
        return [
            f"{self.parameters / 1e6:.2f} M parameters, {self.weight_bytes / 1e6:.0f} MB of weights",
            f"{self.forward_flops / 1e9:.1f} GFLOP for a patch of {patch} voxels",
            f"{self.kept_bytes / 1e6:.0f} MB of features kept for the backward pass of such a patch, in 32 bits",
        ]


def describe(model: Any, sides: Sequence[int] = SIDES, channels: int = 1, outputs: int = 3) -> ScanNetwork:
    """Of a `model`'s configuration, for a patch of about so many voxels. Nothing is computed: no weights are made."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from core.models.weights import without_memory

    network = without_memory(lambda: model.build(channels, outputs)).train()
    weights = {id(parameter) for parameter in network.parameters()}
    kept: dict[int, Any] = {}  # the tensors themselves, so that no two have one id

    def keep(tensor: Any) -> Any:
        if id(tensor) not in weights:
            kept[id(tensor)] = tensor
        return tensor

    steps = [model.divisor] * 3 if isinstance(model.divisor, int) else model.divisor
    patch = [-(-n // step) * step for n, step in zip(sides, steps, strict=True)]
    with torch.device("meta"):
        image = torch.empty(1, channels, *patch)
        with FlopCounterMode(display=False) as counter:
            network(image)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network(image)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    kept_bytes = sum(tensor.numel() * tensor.element_size() for tensor in kept.values())
    return ScanNetwork(parameters, tuple(patch), int(counter.get_total_flops()), 4 * parameters, kept_bytes)
