"""What every registered network has to do, whatever it is made of. A new one is tested here by being registered."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core import registry
from core.data.plan import Label, Plan
from core.inference.network import skeleton
from core.inference.runtime.on_torch import TorchRuntime
from core.inference.sliding import probabilities
from core.models.weights import own_tensors
from tests.core.making import TINY, networks_of_slices

# The same networks by another road through their code.
VARIANTS: dict[str, dict[str, Any]] = {
    "dformer": {"checkpointing": True, "dropout": 0.1},
    "nnunet": {"residual": False, "bias": False},
    "segresnet": {"dropout": 0.1},
    "swinunetr": {"checkpointing": True, "convolutions": True},
    "unet": {"deep_supervision": True, "residual": True},
    "unetr": {"checkpointing": True, "dropout": 0.1},
}
CHANNELS, CLASSES = 1, 3
ACROSS = " across "  # between a network's name and the axis whose slices it sees one by one
NETWORKS = sorted([*registry.parts("model"), *(f"{name}{ACROSS}z" for name in networks_of_slices())])


@cache
def configured(name: str, variant: bool = False) -> Any:
    name, _, axis = name.partition(ACROSS)
    slices = {"slices": axis} if axis else {}
    return registry.part("model", name)(**TINY.get(name, {}), **(VARIANTS.get(name, {}) if variant else {}), **slices)


def built(name: str, variant: bool = False) -> nn.Module:
    torch.manual_seed(3)
    network: nn.Module = configured(name, variant).build(CHANNELS, CLASSES)
    return network


def smallest_patch(name: str) -> tuple[int, int, int]:
    """A patch with more than one voxel at the coarsest resolution, not a cube."""
    x, y, z = (int(step) for step in np.broadcast_to(configured(name).divisor, 3))
    return (max(2 * x, 8), max(y, 8), max(z, 8))


def a_batch(name: str, size: int = 1) -> tuple[Tensor, Tensor]:
    """Noise around a bright and a dark box, and the classes."""
    shape = smallest_patch(name)
    target = torch.zeros((size, *shape), dtype=torch.long)
    target[:, : shape[0] // 2, : shape[1] // 2] = 1
    target[:, shape[0] // 2 :, shape[1] // 2 :] = 2
    noise = torch.randn((size, *shape), generator=torch.Generator().manual_seed(1))
    return (0.2 * noise + (target == 1) - 1.0 * (target == 2))[:, None], target


def loss_of(output: Tensor | list[Tensor], target: Tensor) -> Tensor:
    heads = [output] if isinstance(output, Tensor) else output
    full = target[:, None].float()
    return torch.stack(
        [
            nn.functional.cross_entropy(head, nn.functional.interpolate(full, head.shape[2:]).long()[:, 0])
            for head in heads
        ]
    ).sum()


@pytest.mark.parametrize("variant", [False, True], ids=["plain", "variant"])
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_have_the_images_sides_and_one_channel_for_each_class(name: str, variant: bool) -> None:
    patch = smallest_patch(name)[:: -1 if variant and ACROSS not in name else 1]
    network = built(name, variant).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, CHANNELS, *patch)).shape == (1, CLASSES, *patch)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_scan_of_any_size_is_predicted_by_padding(name: str) -> None:
    image = np.random.default_rng(0).normal(size=(CHANNELS, 11, 7, 13)).astype(np.float32)
    found = probabilities(
        TorchRuntime(built(name)), image, patch=smallest_patch(name), divisor=configured(name).divisor
    )
    assert found.shape == (CLASSES, 11, 7, 13)
    assert np.isfinite(found).all() and np.allclose(found.sum(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize("variant", [False, True], ids=["plain", "variant"])
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_parameter(name: str, variant: bool) -> None:
    network = built(name, variant).train()
    image, target = a_batch(name)
    loss_of(network(image), target).backward()
    unreached = [key for key, parameter in network.named_parameters() if parameter.grad is None]
    assert unreached == []
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_batch_can_be_learned_by_heart(name: str) -> None:
    network = built(name).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    image, target = a_batch(name)
    first = float("nan")
    for step in range(30):
        optimizer.zero_grad()
        loss = loss_of(network(image), target)
        loss.backward()
        optimizer.step()
        first = float(loss.detach()) if step == 0 else first
        if float(loss.detach()) < first / 2:
            return
    pytest.fail(f"the loss went from {first:.3f} to {float(loss.detach()):.3f} only")


@pytest.mark.parametrize("name", NETWORKS)
def test_prediction_is_the_same_twice_and_changes_no_state(name: str) -> None:
    network = built(name, variant=True).eval()
    image, _ = a_batch(name)
    plain = {key: value for key, value in vars(network).items() if not key.startswith("_")}
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.inference_mode():
        first, second = network(image), network(image)
    assert torch.equal(first, second)
    assert {key: value for key, value in vars(network).items() if not key.startswith("_")} == plain
    assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_weights_give_the_same_prediction_in_a_network_made_without_memory(name: str) -> None:
    """What publishing and prediction do: safe tensors of a trained network into an empty one."""
    network = built(name, variant=True).eval()
    labels = [Label(value=value, name=f"Label {value}") for value in (1, 2)]
    plan = Plan(spacing_mm=(1, 1, 1), patch_size=smallest_patch(name), labels=labels)
    empty = skeleton(configured(name, variant=True), plan)
    stored = {key: value.detach().clone() for key, value in own_tensors(network).items()}
    assert {key: value.shape for key, value in own_tensors(empty).items()} == {k: v.shape for k, v in stored.items()}
    empty.load_state_dict(stored, strict=False, assign=True)
    assert not any(value.is_meta for value in [*empty.parameters(), *empty.buffers()])
    image, _ = a_batch(name)
    with torch.inference_mode():
        assert torch.equal(network(image), empty.eval()(image))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_setting_has_a_title_and_says_what_it_does(name: str) -> None:
    fields = {key: field for key, field in type(configured(name)).model_fields.items() if key != "name"}
    assert [key for key, field in fields.items() if not (field.title and field.description)] == []
