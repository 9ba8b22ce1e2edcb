"""A dilated transformer U-Net after D-Former (Wu et al. 2023, arXiv 2201.00462).

Attention is among small groups of tokens: neighbours in the local blocks, tokens spread evenly over the whole volume in
the global ones. Positions come from a depth-wise convolution. Maps are (batch, x, y, z, features) throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Sides = Sequence[int]


def pad_to(maps: Tensor, multiples: Sides) -> Tensor:
    """Zeros after the last token of each axis, up to the next multiple."""
    x, y, z = (-n % m for n, m in zip(maps.shape[1:4], multiples, strict=True))
    return functional.pad(maps, (0, 0, 0, z, 0, y, 0, x)) if x or y or z else maps


def shuffle(maps: Tensor, factors: Sides) -> Tensor:
    """(B, x, y, z, fx * fy * fz * F) -> (B, x * fx, y * fy, z * fz, F)."""
    b, x, y, z, _ = maps.shape
    fx, fy, fz = factors
    parts = maps.reshape(b, x, y, z, fx, fy, fz, -1).permute(0, 1, 4, 2, 5, 3, 6, 7)
    return parts.reshape(b, x * fx, y * fy, z * fz, -1)


class Groups:
    """How the tokens of a map are grouped: `size` neighbours, or `size` tokens spread over each axis."""

    def __init__(self, shape: Sides, size: Sides, *, spread: bool) -> None:
        self.shape = tuple(shape)
        # A map smaller than a group is one group.
        self.size = tuple(min(g, n) for g, n in zip(size, shape, strict=True))
        self.count = tuple(-(-n // g) for n, g in zip(shape, self.size, strict=True))
        self.padded = tuple(g * c for g, c in zip(self.size, self.count, strict=True))
        self.spread = spread

    def split(self, maps: Tensor) -> Tensor:
        """(B, x, y, z, F) -> (B * groups, tokens, F); a side is group-major where tokens are spread."""
        (gx, gy, gz), (cx, cy, cz) = self.size, self.count
        maps = pad_to(maps, self.padded)
        if self.spread:
            parts = maps.reshape(len(maps), gx, cx, gy, cy, gz, cz, -1).permute(0, 2, 4, 6, 1, 3, 5, 7)
        else:
            parts = maps.reshape(len(maps), cx, gx, cy, gy, cz, gz, -1).permute(0, 1, 3, 5, 2, 4, 6, 7)
        return parts.reshape(-1, gx * gy * gz, maps.shape[-1])

    def join(self, tokens: Tensor) -> Tensor:
        """The way back, without the padding."""
        features = tokens.shape[-1]
        parts = tokens.reshape(-1, *self.count, *self.size, features)
        parts = parts.permute(0, 4, 1, 5, 2, 6, 3, 7) if self.spread else parts.permute(0, 1, 4, 2, 5, 3, 6, 7)
        x, y, z = self.shape
        return parts.reshape(-1, *self.padded, features)[:, :x, :y, :z]

    def mask(self, batch: int, device: torch.device) -> Tensor | None:
        """(B * groups, 1, 1, tokens): which tokens may be attended to; None where nothing was padded."""
        if self.padded == self.shape:
            return None
        real = self.split(torch.ones((1, *self.shape, 1), device=device))[..., 0] > 0
        return real.repeat(batch, 1)[:, None, None]


class Block(nn.Module):
    """Attention within groups and an MLP, each after a normalisation and around it a shortcut."""

    def __init__(self, features: int, heads: int, group: Sides, *, spread: bool, mlp: float, dropout: float) -> None:
        super().__init__()
        self.heads, self.group, self.spread, self.dropout = heads, tuple(group), spread, dropout
        self.before_attention = nn.LayerNorm(features)
        self.qkv = nn.Linear(features, 3 * features)
        self.project = nn.Linear(features, features)
        hidden = int(features * mlp)
        self.mlp = nn.Sequential(
            nn.LayerNorm(features), nn.Linear(features, hidden), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(hidden, features), nn.Dropout(dropout),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        groups = Groups(maps.shape[1:4], self.group, spread=self.spread)
        tokens = groups.split(self.before_attention(maps))
        n, length, features = tokens.shape
        query, key, value = (
            self.qkv(tokens).reshape(n, length, 3, self.heads, features // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        )
        seen = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=groups.mask(len(maps), maps.device),
            dropout_p=self.dropout if self.training else 0.0,
        )  # fmt: skip
        attended = self.project(seen.transpose(1, 2).reshape(n, length, features))
        maps = maps + functional.dropout(groups.join(attended), self.dropout, self.training)
        return maps + self.mlp(maps)


class Stage(nn.Module):
    """Blocks at one resolution, local and global in turn, after a position encoding that depends on the content."""

    def __init__(
        self, features: int, depth: int, heads: int, group: Sides, *, mlp: float, dropout: float, checkpointing: bool
    ) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.position = nn.Conv3d(features, features, 3, padding=1, groups=features)
        self.blocks = nn.ModuleList(
            Block(features, heads, group, spread=number % 2 == 1, mlp=mlp, dropout=dropout) for number in range(depth)
        )

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps + self.position(maps.movedim(-1, 1)).movedim(1, -1)
        twice = self.checkpointing and self.training
        for block in self.blocks:
            maps = checkpoint(block, maps, use_reentrant=False) if twice else block(maps)
        return maps


class Merge(nn.Module):
    """Half the resolution with twice the features: 2 x 2 x 2 neighbours become one token."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8 * features)
        self.reduce = nn.Linear(8 * features, 2 * features, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        maps = pad_to(maps, (2, 2, 2))
        b, x, y, z, features = maps.shape
        parts = maps.reshape(b, x // 2, 2, y // 2, 2, z // 2, 2, features).permute(0, 1, 3, 5, 2, 4, 6, 7)
        merged: Tensor = self.reduce(self.norm(parts.reshape(b, x // 2, y // 2, z // 2, 8 * features)))
        return merged


class Expand(nn.Module):
    """A finer resolution with fewer features, joined with the encoder's map of that resolution."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.expand = nn.Linear(features, 4 * features, bias=False)
        self.norm = nn.LayerNorm(features // 2)
        self.join = nn.Linear(features, features // 2)

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        x, y, z = skip.shape[1:4]
        finer = self.norm(shuffle(self.expand(maps), (2, 2, 2)))[:, :x, :y, :z]
        joined: Tensor = self.join(torch.cat([finer, skip], dim=-1))
        return joined


class DFormer(nn.Module):
    """(B, in_channels, x, y, z) of any size -> logits (B, out_channels, x, y, z)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, width: int, depths: Sides, heads: Sides, patch: Sides,
        group: Sides, mlp: float, dropout: float, checkpointing: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch = tuple(patch)
        features = [width * 2**level for level in range(len(depths))]

        def stage(level: int) -> Stage:
            return Stage(
                features[level], depths[level], heads[level], group, mlp=mlp, dropout=dropout,
                checkpointing=checkpointing,
            )  # fmt: skip

        self.embed = nn.Conv3d(in_channels, width, self.patch, stride=self.patch)
        self.embed_norm = nn.LayerNorm(width)
        self.encoder = nn.ModuleList(stage(level) for level in range(len(depths)))
        self.merges = nn.ModuleList(Merge(n) for n in features[:-1])
        self.expands = nn.ModuleList(Expand(n) for n in features[1:])
        self.decoder = nn.ModuleList(stage(level) for level in range(len(depths) - 1))
        voxels = self.patch[0] * self.patch[1] * self.patch[2]
        self.finest = nn.Linear(width, voxels * width, bias=False)
        self.finest_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, out_channels)
        self.apply(_initialise)

    def forward(self, image: Tensor) -> Tensor:
        x, y, z = image.shape[2:]
        padded = pad_to(image.movedim(1, -1), self.patch).movedim(-1, 1)
        maps = self.embed_norm(self.embed(padded).movedim(1, -1))
        skips = []
        for stage, merge in zip(self.encoder, self.merges, strict=False):
            maps = stage(maps)
            skips.append(maps)
            maps = merge(maps)
        maps = self.encoder[-1](maps)
        for level in reversed(range(len(self.decoder))):
            maps = self.decoder[level](self.expands[level](maps, skips[level]))
        voxels = self.finest_norm(shuffle(self.finest(maps), self.patch))[:, :x, :y, :z]
        logits: Tensor = self.head(voxels).movedim(-1, 1)
        return logits.contiguous()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
