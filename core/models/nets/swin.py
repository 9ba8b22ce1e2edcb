"""A 3D Swin encoder of the Swin UNETR family (Hatamizadeh 2022, arXiv 2201.01266; Liu 2021, arXiv 2103.14030).

Windows end at the borders of the map, so nothing is padded, rolled or masked: a shifted window that the usual way wraps
around and masks is here several smaller ones, which is the same sum. Windows of one shape are computed together. What
depends on sizes alone is worked out once for a size and kept outside of the network.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Sides = tuple[int, int, int]
PATCH = 4


def patch_grid(shape: Sequence[int], patch: int = PATCH) -> Sides:
    """How many whole patches fit along each axis; the planes that are left over are cut off, evenly on both sides.

    >>> patch_grid((91, 120, 91)), math.prod(patch_grid((91, 120, 91))), math.prod(patch_grid((32, 32, 32)))
    ((22, 30, 22), 14520, 512)
    """
    x, y, z = (n // patch for n in shape)
    return x, y, z


def whole_patches(image: Tensor) -> Tensor:
    """(B, channels, x, y, z) without the planes that fill no patch."""
    for axis, count in enumerate(patch_grid(image.shape[2:]), start=2):
        spare = image.shape[axis] - PATCH * count
        image = image.narrow(axis, spare // 2, PATCH * count)
    return image


def last_grid(shape: Sequence[int], stages: int = 4, patch: int = PATCH) -> Sides:
    """The tokens of the last stage: each merging halves the grid, rounding up.

    >>> last_grid((91, 120, 91))
    (3, 4, 3)
    """
    x, y, z = (math.ceil(n / 2 ** (stages - 1)) for n in patch_grid(shape, patch))
    return x, y, z


@dataclass(frozen=True, eq=False)
class Windows:
    """How the tokens of a map fall into windows.

    order: (tokens,) the tokens window by window, those of one shape together; back: the way back.
    groups: the shape of the windows and how many there are, in the order of `order`.
    """

    order: Tensor
    back: Tensor
    groups: tuple[tuple[Sides, int], ...]


def extents(tokens: int, window: int, shift: int) -> list[int]:
    """The lengths of the windows along an axis.

    >>> extents(22, 7, 0), extents(22, 7, 3), extents(6, 7, 3)
    ([7, 7, 7, 1], [3, 7, 7, 5], [6])
    """
    if tokens <= window:
        return [tokens]
    cuts = sorted({0, *range(shift or window, tokens, window), tokens})
    return [after - before for before, after in itertools.pairwise(cuts)]


@lru_cache(maxsize=128)
@torch.inference_mode(False)  # or what is kept could never be differentiated through
def windows(grid: Sides, window: int, shift: int, device: torch.device) -> Windows:
    """The windows of a map; `shift` is the length of the first one, 0: a whole window."""
    places = torch.arange(math.prod(grid), device="cpu").reshape(grid)
    along = [extents(n, window, shift) for n in grid]
    starts = [list(itertools.accumulate(lengths[:-1], initial=0)) for lengths in along]
    found: dict[Sides, list[Tensor]] = {}
    for which in itertools.product(*(range(len(lengths)) for lengths in along)):
        a, b, c = ((starts[axis][i], along[axis][i]) for axis, i in enumerate(which))
        part = places[a[0] : a[0] + a[1], b[0] : b[0] + b[1], c[0] : c[0] + c[1]]
        found.setdefault((a[1], b[1], c[1]), []).append(part.flatten())
    order = torch.cat([part for parts in found.values() for part in parts])
    groups = tuple((shape, len(parts)) for shape, parts in found.items())
    return Windows(order.to(device), order.argsort().to(device), groups)


@lru_cache(maxsize=512)
@torch.inference_mode(False)
def relative_places(shape: Sides, window: int, device: torch.device) -> Tensor:
    """(tokens * tokens,) where in the table of relative positions each pair of tokens of a window finds its bias."""
    axes = torch.meshgrid(*(torch.arange(n, device="cpu") for n in shape), indexing="ij")
    place = torch.stack([axis.flatten() for axis in axes])
    away = place[:, :, None] - place[:, None, :] + window - 1
    side = 2 * window - 1
    return ((away[0] * side + away[1]) * side + away[2]).flatten().to(device)


class _Reorder(torch.autograd.Function):
    """Tokens in another order; going back is a reordering too, where torch's own would add up one by one."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(order, back)
        return tokens.index_select(1, order)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        _order, back = ctx.saved_tensors
        return grads[0].index_select(1, back), None, None


def reorder(tokens: Tensor, order: Tensor, back: Tensor) -> Tensor:
    """tokens (B, n, C) in an `order` whose inverse is `back`."""
    found: Tensor = _Reorder.apply(tokens, order, back)
    return found


class WindowAttention(nn.Module):
    """Attention among the tokens of each window, with a learned bias for each relative position.

    bias: (heads, (2 * window - 1) ** 3).
    """

    def __init__(self, width: int, heads: int, window: int, shift: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.window, self.shift, self.dropout = heads, window, shift, dropout
        self.bias = nn.Parameter(torch.empty(heads, (2 * window - 1) ** 3))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.trunc_normal_(self.bias, std=0.02)

    def forward(self, tokens: Tensor, grid: Sides) -> Tensor:
        """tokens (B, x * y * z, width) of a map of that grid -> the same shape."""
        batch, count, width = tokens.shape
        plan = windows(grid, self.window, self.shift, tokens.device)
        tokens = reorder(tokens, plan.order, plan.back)
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads)
        found, start = [], 0
        for shape, number in plan.groups:
            size = math.prod(shape)
            part = qkv[:, start : start + number * size].reshape(batch * number, size, 3, self.heads, -1)
            query, key, value = part.permute(2, 0, 3, 1, 4).unbind()
            places = relative_places(shape, self.window, tokens.device)
            bias = self.bias.index_select(1, places).reshape(1, self.heads, size, size).to(query.dtype)
            dropout = self.dropout if self.training else 0.0
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
            found.append(mixed.transpose(1, 2).reshape(batch, number * size, width))
            start += number * size
        mixed = reorder(torch.cat(found, dim=1), plan.back, plan.order)
        out: Tensor = self.out(mixed)
        return out


class FeedForward(nn.Sequential):
    """Two linear layers, four times as wide between them."""

    def __init__(self, width: int, dropout: float = 0.0, ratio: int = 4) -> None:
        super().__init__(
            nn.Linear(width, ratio * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(ratio * width, width)
        )


class DropPath(nn.Module):
    """Leaves a branch out for some samples of a batch in training (Huang 2016, arXiv 1603.09382)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        kept = branch.new_empty(len(branch), *[1] * (branch.dim() - 1)).bernoulli_(1 - self.rate)
        return branch * kept / (1 - self.rate)


class SwinBlock(nn.Module):
    """Attention in windows, then a feed-forward layer, each with a norm before it and a way around it."""

    def __init__(self, width: int, heads: int, window: int, shift: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = WindowAttention(width, heads, window, shift, dropout)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = FeedForward(width, dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, grid: Sides) -> Tensor:
        tokens = tokens + self.drop_path(self.attention(self.attention_norm(tokens), grid))
        found: Tensor = tokens + self.drop_path(self.feed(self.feed_norm(tokens)))
        return found


class Merging(nn.Module):
    """Eight neighbours become one token of twice the width; a side that is odd gets a plane of zeros."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8 * width)
        self.reduce = nn.Linear(8 * width, 2 * width, bias=False)

    def forward(self, tokens: Tensor, grid: Sides) -> tuple[Tensor, Sides]:
        maps = tokens.reshape(len(tokens), *grid, -1)
        x, y, z = (n % 2 for n in grid)
        if x or y or z:
            maps = functional.pad(maps, (0, 0, 0, z, 0, y, 0, x))
        half: Sides = (maps.shape[1] // 2, maps.shape[2] // 2, maps.shape[3] // 2)
        parts = maps.reshape(len(maps), half[0], 2, half[1], 2, half[2], 2, -1).permute(0, 1, 3, 5, 2, 4, 6, 7)
        return self.reduce(self.norm(parts.reshape(len(maps), math.prod(half), -1))), half


class SwinEncoder(nn.Module):
    """(B, channels, x, y, z) -> tokens of the last stage (B, n, width * 2 ** (stages - 1)), normalised.

    Of 91 x 120 x 91 voxels the patches of 4 x 4 x 4 are 22 x 30 x 22 = 14,520: whole patches only. One plane at the
    start and two at the end of x and z, which lie outside of the head, belong to none.
    checkpointing: compute each block twice instead of keeping what its gradient needs.
    """

    def __init__(
        self, *, channels: int = 1, width: int = 96, depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (3, 6, 12, 24), window: int = 7, dropout: float = 0.0, drop_path: float = 0.0,
        checkpointing: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.checkpointing = checkpointing
        self.embed = nn.Conv3d(channels, width, PATCH, stride=PATCH)
        blocks = sum(depths)
        rates = iter([drop_path * i / max(blocks - 1, 1) for i in range(blocks)])
        self.stages = nn.ModuleList(
            nn.ModuleList(
                SwinBlock(width * 2**stage, heads[stage], window, window // 2 if i % 2 else 0, dropout, next(rates))
                for i in range(depth)
            )
            for stage, depth in enumerate(depths)
        )
        self.merges = nn.ModuleList(Merging(width * 2**stage) for stage in range(len(depths) - 1))
        self.norm = nn.LayerNorm(width * 2 ** (len(depths) - 1))

    def patches(self, image: Tensor, places: Tensor | None = None) -> tuple[Tensor, Sides]:
        """The embedded patches (B, n, width), with what is given for their places added, and their grid."""
        tokens = self.embed(whole_patches(image)).flatten(2).transpose(1, 2)
        return tokens if places is None else tokens + places, patch_grid(image.shape[2:])

    def maps(self, image: Tensor, places: Tensor | None = None) -> list[tuple[Tensor, Sides]]:
        """The tokens and grid of each stage, not normalised, as a decoder takes them."""
        tokens, grid = self.patches(image, places)
        found = []
        twice = self.checkpointing and self.training
        for number, blocks in enumerate(self.stages):
            if number:
                tokens, grid = self.merges[number - 1](tokens, grid)
            for block in blocks:
                tokens = checkpoint(block, tokens, grid, use_reentrant=False) if twice else block(tokens, grid)
            found.append((tokens, grid))
        return found

    def forward(self, image: Tensor, places: Tensor | None = None) -> Tensor:
        found: Tensor = self.norm(self.maps(image, places)[-1][0])
        return found
