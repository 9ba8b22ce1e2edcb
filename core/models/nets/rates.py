"""MONAI's Swin transformers read their drop rates out of a tensor, which has no values in a network without memory."""

from __future__ import annotations

from typing import Any


def rates_on_cpu() -> Any:
    """A context in which such a network can be built on the meta device."""
    import torch
    from torch.overrides import TorchFunctionMode

    class RatesOnCPU(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **{**(kwargs or {}), **({"device": "cpu"} if func is torch.linspace else {})})

    return RatesOnCPU()
