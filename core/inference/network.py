"""From a package to a network in memory: weights are data, checked before anything of their size is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.plan import Plan
from core.errors import ModelError
from core.inference.package import ModelPackage, weights_file
from core.models.weights import own_tensors, without_memory

if TYPE_CHECKING:
    from torch import Tensor, nn

_MAX_TENSORS = 20_000


def load_network(package: ModelPackage) -> nn.Module:
    """The package's network with its weights, on the CPU, in evaluation mode.

    Raises ModelError where the weights are damaged or do not fit the network.
    """
    where = package.folder / weights_file(package.place)
    return fill(lambda: package.network.build(package.plan.channels, package.plan.outputs), package.read_weights, where)


def fill(build: Callable[[], nn.Module], read: Callable[[], bytes], where: Path) -> nn.Module:
    """The network that `build` makes with the safetensors that `read` gives; `where` they are, for what is told.

    Raises ModelError where the weights are damaged or do not fit the network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        weights: dict[str, Tensor] = load(read())
    except (SafetensorError, ValueError, KeyError, OverflowError, AttributeError) as error:
        raise ModelError(
            f"the weights are not readable ({error})", where=where, mend="Import the model again."
        ) from None
    try:
        network = without_memory(build)
    except Exception as error:
        raise ModelError(f"the network cannot be built ({error})", where=where.parent) from error
    _check_fit(own_tensors(network), weights, where)
    network.load_state_dict({name: _as_float(tensor) for name, tensor in weights.items()}, strict=False, assign=True)
    unset = [name for name, value in [*network.named_parameters(), *network.named_buffers()] if value.is_meta]
    if unset:
        raise ModelError(f"the weights leave {unset[0]} of the network unset", where=where)
    return network.requires_grad_(False).eval()


def skeleton(config: Any, plan: Plan) -> nn.Module:
    """The network of a plan without memory for its weights."""
    return without_memory(lambda: config.build(plan.channels, plan.outputs))


def _check_fit(wanted: dict[str, Any], given: dict[str, Any], where: Path) -> None:
    import torch

    def wrong(what: str) -> ModelError:
        return ModelError(f"the weights do not fit the network ({what})", where=where)

    if len(given) > _MAX_TENSORS:
        raise wrong(f"{len(given):,} tensors")
    for name in wanted.keys() ^ given.keys():
        raise wrong(f"{name} is {'missing' if name in wanted else 'not part of it'}")
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            raise wrong(f"{name} is {tuple(tensor.shape)}, not {tuple(wanted[name].shape)}")
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise wrong(f"{name} holds {tensor.dtype}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise wrong(f"{name} holds values that are not numbers")


def _as_float(tensor: Tensor) -> Tensor:
    """Weights may be stored in half the size; the network computes in float32."""
    return tensor.float() if tensor.is_floating_point() else tensor
