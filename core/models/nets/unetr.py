"""MONAI's UNETR for inputs of any size: its learned positions are interpolated to the grid at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets.unetr import UNETR
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

SKIPS = (3, 6, 9)  # the blocks whose tokens go to the decoder


class AnySizeUNETR(UNETR):
    """(B, C, x, y, z), or (B, C, x, y) of pictures, with sides that are multiples of 16 -> logits of the same sides."""

    def __init__(self, *, checkpointing: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self.checkpointing = checkpointing
        for block in self.vit.blocks:
            block.norm_cross_attn = nn.Identity()  # MONAI makes it with weights that nothing uses

    def forward(self, image: Tensor) -> Tensor:
        embedding = self.vit.patch_embedding
        patches = embedding.patch_embeddings(image)
        grid = patches.shape[2:]
        tokens = embedding.dropout(patches.flatten(2).transpose(1, 2) + self._positions(grid))
        twice = self.checkpointing and self.training
        skips = []
        for number, block in enumerate(self.vit.blocks):
            tokens = checkpoint(block, tokens, use_reentrant=False) if twice else block(tokens)
            if number in SKIPS:
                skips.append(_map(tokens, grid))
        decoded = self.decoder5(_map(self.vit.norm(tokens), grid), self.encoder4(skips[2]))
        decoded = self.decoder4(decoded, self.encoder3(skips[1]))
        decoded = self.decoder3(decoded, self.encoder2(skips[0]))
        logits: Tensor = self.out(self.decoder2(decoded, self.encoder1(image)))
        return logits

    def _positions(self, grid: Sequence[int]) -> Tensor:
        learned: Tensor = self.vit.patch_embedding.position_embeddings
        if tuple(grid) == self.feat_size:
            return learned
        shaped = _map(learned, self.feat_size)
        mode = "trilinear" if len(grid) == 3 else "bilinear"
        return functional.interpolate(shaped, tuple(grid), mode=mode).flatten(2).transpose(1, 2)


def _map(tokens: Tensor, grid: Sequence[int]) -> Tensor:
    """(B, tokens, features) -> (B, features, x, y, z), or of pictures without z."""
    return tokens.transpose(1, 2).reshape(len(tokens), -1, *grid)
