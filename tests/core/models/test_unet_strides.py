"""A U-Net that halves thick slices later than the other axes; without strides it is what it was."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from core.data.plan import Label, Plan
from core.models.describing import describe
from core.models.unet import UNetConfig
from core.models.weights import own_tensors

THICK = {"channels": [4, 8, 8, 8], "strides": [[2, 2, 1], [2, 2, 1], [2, 2, 2]]}


def built(**settings: Any) -> nn.Module:
    torch.manual_seed(3)
    network: nn.Module = UNetConfig(**settings).build(1, 3)
    return network


def test_the_sides_follow_the_strides() -> None:
    config = UNetConfig(**THICK)
    assert config.divisor == (8, 8, 2)
    assert config.kernels() == [(3, 3, 1), (3, 3, 1), (3, 3, 3), (3, 3, 3)]
    network = built(**THICK).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 16, 24, 4)).shape == (1, 3, 16, 24, 4)


def test_deep_supervision_has_heads_at_the_networks_own_resolutions() -> None:
    network = built(**THICK, deep_supervision=True, residual=True).train()
    heads = network(torch.zeros(1, 1, 16, 16, 4))
    assert [tuple(head.shape[2:]) for head in heads] == [(16, 16, 4), (8, 8, 4), (4, 4, 4)]
    sum(head.sum() for head in heads).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_slices_do_not_mix_before_the_others_are_as_coarse() -> None:
    network = built(channels=[4, 8, 8], strides=[[2, 2, 1], [2, 2, 1]]).eval()
    assert network.input_block.conv1.conv.kernel_size == (3, 3, 1)


def test_two_everywhere_is_the_network_without_strides() -> None:
    plain, said = built(channels=[4, 8, 8]), built(channels=[4, 8, 8], strides=[[2, 2, 2], [2, 2, 2]])
    assert list(plain.state_dict()) == list(said.state_dict())
    image = torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(plain.eval()(image), said.eval()(image))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"channels": [4, 8, 8], "strides": [[2, 2, 2]] * 3}, "3 resolutions need 2 strides"),
        ({"channels": [4, 8, 8], "strides": [[2, 2, 2], [1, 1, 1]]}, "coarser than the one before"),
        ({"channels": [4, 8, 8], "strides": [[2, 2, 1]] * 2, "slices": "z"}, "leave them empty"),
        ({"channels": [4, 8, 8], "strides": [[2, 2, 0]] * 2}, "greater than or equal to 1"),
    ],
)
def test_strides_that_make_no_network_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        UNetConfig(**settings)


def test_it_is_converted_for_the_cpu(tmp_path: Any) -> None:
    from core.inference.runtime.convert import _difference, _graph

    pytest.importorskip("openvino")
    from safetensors.torch import save

    network = built(**THICK).eval()
    plan = Plan(
        spacing_mm=(1, 1, 4), patch_size=(16, 16, 4), labels=[Label(value=1, name="A"), Label(value=2, name="B")]
    )
    weights = save({name: tensor.contiguous() for name, tensor in own_tensors(network).items()})
    made = _graph(network, 1, plan.patch_size, True, weights, "softmax")
    assert _difference(made, weights, network, 1, (plan.patch_size, (24, 16, 6)), "softmax") < 1e-3


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": [16, 32, 64, 128]},
        {"channels": [24, 48, 96], "residual": True},
        {"channels": [16, 32, 64], "slices": "y"},
        {"channels": [16, 32, 64, 128], "strides": [(2, 2, 1), (2, 2, 1), (2, 2, 2)], "deep_supervision": True},
    ],
)
def test_what_a_network_counts_of_itself_is_what_it_costs_laid_out(settings: dict[str, Any]) -> None:
    model = UNetConfig(**settings)
    laid_out = describe(model, (32, 32, 32))
    voxels, counted = math.prod(laid_out.patch), model.cost
    assert counted.operations * voxels == pytest.approx(laid_out.forward_flops, rel=0.01)
    assert counted.kept_bytes * voxels == pytest.approx(laid_out.kept_bytes, rel=0.01)
    assert counted.parameters == pytest.approx(laid_out.parameters, rel=0.02)
