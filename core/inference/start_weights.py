"""Weights of an origin given to a network: all that fit, none of its head, and nothing where they do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ModelError
from core.files import sha256
from core.inference.importing.checkpoint import MAX_BYTES, read_checkpoint, tensors
from core.inference.start import recorded
from core.models.archives import AGAIN, DAMAGED
from core.models.weights import own_tensors, without_memory
from core.training.checkpoints import NETWORK_PREFIX
from core.training.origin import Origin

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.catalog import RunRow

SHOWN = 3  # names in a message
ENCODER = "encoder."  # what the names of an encoder that networks share begin with


def head_of(model: Any, channels: int) -> frozenset[str]:
    """The tensors of a registered network that depend on what it answers: their shapes change with its outputs."""
    two, three = (without_memory(lambda n=n: model.build(channels, n)).state_dict() for n in (2, 3))  # type: ignore[misc]
    return frozenset(name for name in {*two, *three} if two.get(name) is None or two[name].shape != three[name].shape)


def read_start(origin: Origin) -> dict[str, Tensor]:
    """The tensors of an origin by name, in 32 bits.

    Raises ModelError where the file is gone, was changed, is too large, is damaged, or holds more than plain data.
    """
    path = origin.file
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"the file is larger than {MAX_BYTES // 1024**3} GB", where=path)
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the weights cannot be read ({error.strerror or error})", where=path) from None
    if origin.sha256 and sha256(path) != origin.sha256:
        raise ModelError("the weights are damaged or were changed (sha256)", where=path, mend="Choose another start.")
    found = _safetensors(content, path) if path.suffix == ".safetensors" else _checkpoint(content, path)
    import torch

    for name, value in found.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelError(f"{name} holds values that are not numbers", where=path)
    return {name: value.float() if value.is_floating_point() else value for name, value in found.items()}


def chosen(origin: Origin, given: Mapping[str, Tensor], model: Any, channels: int) -> dict[str, Tensor]:
    """What of the given tensors a registered network begins with: all but those of its head.

    A module of the network is given whole or not at all, so that an encoder alone is a start too. Raises ModelError,
    with the names of what differs, where the tensors are of another network.
    """
    head = head_of(model, channels)
    there = frozenset[str]() if origin.network is None else head_of(origin.network, channels)
    body = {name: value for name, value in given.items() if name not in head | there}
    skeleton = without_memory(lambda: model.build(channels, 2))
    return fitting(origin, body, skeleton, head, mend=_mend(origin, model))


def of_encoder(origin: Origin, given: Mapping[str, Tensor], encoder: nn.Module, mend: str) -> dict[str, Tensor]:
    """What of the given tensors an encoder begins with: those of the origin's `encoder`. Raises as `chosen`."""
    body = {name.removeprefix(ENCODER): value for name, value in given.items() if name.startswith(ENCODER)}
    return fitting(origin, body, encoder, mend=mend)


def fitting(
    origin: Origin, body: Mapping[str, Tensor], network: nn.Module, head: Set[str] = frozenset(), *, mend: str
) -> dict[str, Tensor]:
    """The tensors of `body`, if they are a network's; `head`: what need not be among them. Raises ModelError."""
    known, own = network.state_dict(), own_tensors(network)
    # Names of modules that are shared are in a checkpoint twice; they are compared once.
    body = {name: value for name, value in body.items() if name not in known.keys() - own.keys()}
    fits = {name: value for name, value in body.items() if name in own and own[name].shape == value.shape}
    wrong = [
        f"{name} is {_shape(value)} there and {_shape(own[name])} here" for name, value in body.items()
        if name in own and name not in fits
    ]  # fmt: skip
    wrong += [f"{name} is not part of it" for name in body if name not in own]
    begun = {name.split(".")[0] for name in fits}
    wrong += [f"{name} is missing" for name in own if name not in head | body.keys() and name.split(".")[0] in begun]
    if wrong or not fits:
        more = f" (and {len(wrong) - SHOWN} more)" if len(wrong) > SHOWN else ""
        what = "; ".join(wrong[:SHOWN]) + more or "no tensor has a name of the network's"
        raise ModelError(
            f"the weights of {origin.title} do not fit the network: {what}", where=origin.file, mend=mend
        )  # fmt: skip
    return fits


def told(origin: Origin, weights: Mapping[str, Tensor], model: Any, channels: int) -> str:
    """What a network begins with, as an event of the run."""
    own = own_tensors(without_memory(lambda: model.build(channels, 2)))
    new = [name for name in own if name not in weights]
    parts = ", ".join(dict.fromkeys(name.split(".")[0] for name in new))
    return f"{len(own) - len(new)} of {len(own)} tensors are those of {origin.title}; begun anew: {parts}."


def begin(network: nn.Module, model: Any, channels: int, run: RunRow) -> None:
    """Give a new run's network the weights that its folder names; nothing where it names none, or the run goes on.

    Raises ModelError where the weights are gone, were changed or do not fit.
    """
    origin = recorded(run.folder)
    if origin is not None and run.epoch == 0:
        network.load_state_dict(chosen(origin, read_start(origin), model, channels), strict=False)


def _mend(origin: Origin, model: Any) -> str:
    if origin.network is None or origin.network.name != model.name:
        return "Start from the weights of a network with the same settings."
    differ = [f"model.{key}={value}" for key, value in origin.network if value != getattr(model, key)]
    return f"Its network has {', '.join(differ)}." if differ else "It was trained on scans with other channels."


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"


def _safetensors(content: bytes, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError, KeyError, OverflowError, AttributeError):
        raise ModelError(f"the weights are not readable ({DAMAGED})", where=path, mend=AGAIN) from None


def _checkpoint(content: bytes, path: Path) -> dict[str, Tensor]:
    """Of a checkpoint of ours the network; of another program's, its state_dict."""
    tree = read_checkpoint(content, path)
    if not isinstance(tree, dict) or not isinstance(state := tree.get("state_dict"), dict):
        return tensors(tree, path)
    ours = {
        name.removeprefix(NETWORK_PREFIX): value for name, value in state.items()
        if isinstance(name, str) and name.startswith(NETWORK_PREFIX)
    }  # fmt: skip
    return tensors(ours or state, path)
