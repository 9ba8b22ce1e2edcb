"""A network's tensors: made without memory where only their shapes are asked for, and named as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def without_memory(build: Callable[[], nn.Module]) -> nn.Module:
    """A network without memory for its weights, so that a hostile configuration costs nothing."""
    import torch
    from torch.overrides import TorchFunctionMode

    draws = {torch.Tensor.normal_, torch.Tensor.uniform_}

    class NoDraws(TorchFunctionMode):
        # The initial weights are never used, and drawing them on the meta device first imports torch's compiler (1 s).
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return args[0] if func in draws else func(*args, **(kwargs or {}))

    with torch.device("meta"), NoDraws():
        return build()


def own_tensors(network: nn.Module) -> dict[str, Tensor]:
    """What a package stores of a network: each parameter and kept buffer once, though modules may be shared."""
    kept = network.state_dict()
    named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: tensor for name, tensor in named.items() if name in kept}
