"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from core.registry import Part, register


class _Optimizer(Part):
    lr: float = Field(
        1e-3, gt=0, le=10, title="Learning rate", description="Size of a step at the top of the schedule."
    )
    weight_decay: float = Field(1e-2, ge=0, le=1, title="Weight decay", description="Pull of the weights towards zero.")


class _Adam(_Optimizer):
    betas: tuple[float, float] = Field(
        (0.9, 0.999), title="Betas", description="Memory of the gradient's mean and variance."
    )
    eps: float = Field(1e-8, gt=0, title="Epsilon", description="Keeps the division by the variance finite.")
    amsgrad: bool = Field(False, title="AMSGrad", description="Use the largest variance seen so far.")

    def _settings(self) -> dict[str, Any]:
        return self.model_dump(exclude={"name"})


def _fused(parameters: Iterable[Any]) -> dict[str, Any]:
    """One kernel for all parameters on a CPU; on a GPU it would forbid clipping in 16 bits, and torch's own is fast."""
    params = list(parameters)
    each = [param for given in params for param in (given["params"] if isinstance(given, dict) else [given])]
    return {"params": params, "fused": all(param.device.type == "cpu" for param in each)}


@register("optimizer")
class AdamWConfig(_Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101)."""

    name: Literal["adamw"] = "adamw"

    def build(self, parameters: Iterable[Any]) -> Any:
        from torch.optim import AdamW

        return AdamW(**_fused(parameters), **self._settings())


@register("optimizer")
class AdamConfig(_Adam):
    """Adam (Kingma & Ba, arXiv 1412.6980)."""

    name: Literal["adam"] = "adam"
    weight_decay: float = Field(0.0, ge=0, le=1, title="Weight decay", description="L2 penalty.")

    def build(self, parameters: Iterable[Any]) -> Any:
        from torch.optim import Adam

        return Adam(**_fused(parameters), **self._settings())


@register("optimizer")
class SGDConfig(_Optimizer):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(
        1e-2, gt=0, le=10, title="Learning rate", description="Size of a step at the top of the schedule."
    )
    weight_decay: float = Field(3e-5, ge=0, le=1, title="Weight decay", description="L2 penalty.")
    momentum: float = Field(0.99, ge=0, lt=1, title="Momentum", description="Share of the last step that is kept.")
    nesterov: bool = Field(True, title="Nesterov", description="Look ahead along the momentum.")

    def build(self, parameters: Iterable[Any]) -> Any:
        from torch.optim import SGD

        return SGD(**_fused(parameters), **self.model_dump(exclude={"name"}))
