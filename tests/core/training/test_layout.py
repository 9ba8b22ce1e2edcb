"""The layout in which a CPU trains changes nothing but the time."""

from __future__ import annotations

import copy

import torch

from core.models.unet import UNetConfig
from core.training.layout import SampleNorm3d, lay_out_for_cpu


def test_a_network_laid_out_for_the_cpu_gives_the_same_logits_and_gradients() -> None:
    torch.manual_seed(0)
    as_built = UNetConfig(channels=[4, 8, 8]).build(1, 3)
    laid_out = copy.deepcopy(as_built)
    lay_out_for_cpu(laid_out)
    assert any(isinstance(layer, SampleNorm3d) for layer in laid_out.modules())
    image = torch.randn(2, 1, 16, 12, 8)
    logits = [network(image) for network in (as_built, laid_out)]
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-4, atol=1e-4)
    weight = torch.randn_like(logits[0])
    for answer in logits:
        (answer * weight).mean().backward()
    for (name, one), other in zip(as_built.named_parameters(), laid_out.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5, msg=name)
    assert as_built.state_dict().keys() == laid_out.state_dict().keys()
