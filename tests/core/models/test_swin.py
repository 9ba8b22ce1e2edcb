"""The Swin encoder against plain attention, against MONAI's, and against the sizes that are asked for."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from core.models.nets.swin import SwinBlock, SwinEncoder, WindowAttention, last_grid, patch_grid


def plain_attention(layer: WindowAttention, tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """As the papers write it: one softmax over all tokens, where those of other windows are far below all others."""
    window, count = layer.window, math.prod(grid)
    places = torch.tensor(list(itertools.product(*(range(n) for n in grid))))
    shifts = [layer.shift if n > window else 0 for n in grid]
    # The window of a token: the shifted map's first window is as long as the shift.
    which = torch.stack(
        [
            torch.div(places[:, a] - s, window, rounding_mode="floor") if s else places[:, a] // max(window, 1)
            for a, s in enumerate(shifts)
        ],
        dim=1,
    )
    which = torch.where(torch.tensor([n <= window for n in grid]), torch.zeros_like(which), which)
    same = (which[:, None] == which[None]).all(dim=-1)
    away = places[:, None] - places[None] + window - 1
    side = 2 * window - 1
    inside = ((away >= 0) & (away < side)).all(dim=-1)
    index = ((away[..., 0] * side + away[..., 1]) * side + away[..., 2]).clamp(0, side**3 - 1)
    bias = torch.where(inside, layer.bias[:, index], torch.zeros(()))
    query, key, value = layer.qkv(tokens).reshape(len(tokens), count, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)
    logits = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + bias
    weights = logits.masked_fill(~same, -torch.inf).softmax(dim=-1)
    return layer.out((weights @ value).transpose(1, 2).reshape(tokens.shape))


@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize("grid", [(8, 10, 8), (7, 15, 6), (5, 3, 2), (22, 9, 1)])
def test_windows_of_any_grid_answer_as_plain_attention(grid: tuple[int, int, int], shift: int) -> None:
    torch.manual_seed(0)
    layer = WindowAttention(12, 3, window=7, shift=shift, dropout=0.0).eval()
    torch.nn.init.normal_(layer.bias)
    tokens = torch.randn(2, math.prod(grid), 12)
    with torch.no_grad():
        assert (layer(tokens, grid) - plain_attention(layer, tokens, grid)).abs().max() < 1e-4


def test_gradients_of_windows_are_those_of_plain_attention() -> None:
    torch.manual_seed(0)
    layer = WindowAttention(8, 2, window=4, shift=2, dropout=0.0)
    tokens = torch.randn(1, 6 * 5 * 4, 8, requires_grad=True)
    wanted = torch.randn(1, 120, 8)
    found = torch.autograd.grad((layer(tokens, (6, 5, 4)) * wanted).sum(), (tokens, layer.bias))
    plain = torch.autograd.grad((plain_attention(layer, tokens, (6, 5, 4)) * wanted).sum(), (tokens, layer.bias))
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(found, plain, strict=True))


def test_with_its_weights_the_encoder_answers_as_monai_where_windows_fit() -> None:
    from monai.networks.nets.swin_unetr import SwinTransformer

    torch.manual_seed(0)
    theirs = SwinTransformer(
        1, 8, (4, 4, 4), (4, 4, 4), (2, 1, 1, 1), (2, 1, 1, 1), downsample="mergingv2"
    ).eval()  # fmt: skip
    ours = SwinEncoder(width=8, depths=(2, 1), heads=(2, 1), window=4).eval()
    _take(ours, theirs)
    image = torch.randn(1, 1, 32, 32, 32)
    with torch.no_grad():
        wanted = theirs(image, normalize=False)[1]  # after the first stage and its merging
        tokens, grid = ours.maps(image)[0]
        found = ours.merges[0](tokens, grid)[0]
    assert (found.transpose(1, 2).reshape(wanted.shape) - wanted).abs().max() < 1e-4


def _take(ours: SwinEncoder, theirs: torch.nn.Module) -> None:
    """The first stage's weights of MONAI's encoder."""
    ours.embed.load_state_dict(theirs.patch_embed.proj.state_dict())
    stage = theirs.layers1[0]
    for block, other in zip(ours.stages[0], stage.blocks, strict=True):
        block.attention_norm.load_state_dict(other.norm1.state_dict())
        block.attention.qkv.load_state_dict(other.attn.qkv.state_dict())
        block.attention.out.load_state_dict(other.attn.proj.state_dict())
        block.attention.bias.data = other.attn.relative_position_bias_table.data.T.clone()
        block.feed_norm.load_state_dict(other.norm2.state_dict())
        block.feed[0].load_state_dict(other.mlp.linear1.state_dict())
        block.feed[3].load_state_dict(other.mlp.linear2.state_dict())
    ours.merges[0].norm.load_state_dict(stage.downsample.norm.state_dict())
    ours.merges[0].reduce.load_state_dict(stage.downsample.reduction.state_dict())


def test_the_default_volume_has_14520_patches_and_stages_of_96_to_768() -> None:
    from core.models.weights import without_memory

    assert math.prod(patch_grid((91, 120, 91))) == 14_520
    assert math.prod(patch_grid((32, 32, 32))) == 512
    encoder = without_memory(SwinEncoder)
    with torch.device("meta"):
        maps = encoder.eval().maps(torch.empty(1, 1, 91, 120, 91))
    assert [tokens.shape[-1] for tokens, _ in maps] == [96, 192, 384, 768]
    assert maps[0][0].shape[1] == 14_520
    assert maps[-1][1] == last_grid((91, 120, 91)) == (3, 4, 3)


def test_planes_that_fill_no_patch_are_cut_off_evenly() -> None:
    torch.manual_seed(0)
    encoder = SwinEncoder(width=6, depths=(1,), heads=(1,), window=2).eval()
    image = torch.randn(1, 1, 11, 8, 8)
    inner = image[:, :, 1:9]
    with torch.no_grad():
        assert torch.equal(encoder(image), encoder(inner))


def test_checkpointing_changes_neither_answers_nor_gradients() -> None:
    torch.manual_seed(0)
    plain = SwinEncoder(width=6, depths=(2, 1), heads=(1, 2), window=3)
    saving = SwinEncoder(width=6, depths=(2, 1), heads=(1, 2), window=3, checkpointing=True)
    saving.load_state_dict(plain.state_dict())
    image = torch.randn(2, 1, 16, 16, 12)
    found = []
    for encoder in (plain, saving):
        out = encoder.train()(image)
        out.square().mean().backward()
        found.append((out, encoder.stages[0][0].attention.bias.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_what_is_kept_of_an_inference_serves_a_gradient_too() -> None:
    encoder = SwinEncoder(width=6, depths=(1,), heads=(1,), window=3)
    image = torch.randn(1, 1, 20, 12, 8)  # a size of its own
    with torch.inference_mode():
        encoder(image)
    encoder(image).sum().backward()
    assert encoder.embed.weight.grad is not None


def test_the_deepest_block_is_left_out_for_some_samples_in_training_alone() -> None:
    torch.manual_seed(0)
    block = SwinBlock(6, 1, window=2, shift=0, dropout=0.0, drop_path=0.5)
    tokens = torch.randn(64, 8, 6)
    away = (block.train()(tokens, (2, 2, 2)) - tokens).abs().amax(dim=(1, 2))
    assert 0 < int((away == 0).sum()) < 64
    assert ((block.eval()(tokens, (2, 2, 2)) - tokens).abs().amax(dim=(1, 2)) > 0).all()
