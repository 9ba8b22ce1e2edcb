"""The Swin U-Net takes any size and uses all of its weights."""

from __future__ import annotations

import pytest
import torch

from core.models.swin_unet import SwinUNetConfig


@pytest.mark.parametrize("size", [(32, 48, 32), (35, 18, 21), (16, 16, 4)])
def test_the_answer_has_the_size_of_the_scan(size: tuple[int, int, int]) -> None:
    network = SwinUNetConfig(width=6, depths=[1, 1, 1], heads=[1, 2, 3], window=4, fine=4).build(1, 3)
    answer = network(torch.randn(1, 1, *size))
    assert answer.shape == (1, 3, *size) and answer.isfinite().all()


def test_every_weight_takes_part() -> None:
    network = SwinUNetConfig(width=6, depths=[2, 1], heads=[1, 2], window=3, fine=4).build(2, 2)
    network(torch.randn(2, 2, 16, 16, 16)).square().mean().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


def test_a_far_away_voxel_is_seen_through_the_encoder() -> None:
    torch.manual_seed(0)
    network = SwinUNetConfig(width=6, depths=[2, 2], heads=[1, 2], window=4, fine=4).build(1, 1).eval()
    image = torch.zeros(1, 1, 32, 16, 16)
    changed = image.clone()
    changed[0, 0, 24:, 8, 8] = 5
    with torch.inference_mode():
        away = (network(changed) - network(image))[0, 0, 4]
    assert away.abs().max() > 0


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        SwinUNetConfig(width=10)
    with pytest.raises(ValueError, match="as many heads"):
        SwinUNetConfig(heads=[3, 6])
