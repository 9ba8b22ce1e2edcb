"""Our Swin encoder with a decoder of convolutions: a segmentation network whose encoder other networks share."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.nets.swin import SwinEncoder


class Convolutions(nn.Sequential):
    """Two 3 x 3 x 3 convolutions, each with a normalisation and a leaky rectifier.

    Normalised in groups, since the coarsest map of a small scan is a single voxel.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for width in (inputs, outputs):
            layers += [
                nn.Conv3d(width, outputs, 3, padding=1, bias=False), nn.GroupNorm(math.gcd(8, outputs), outputs),
                nn.LeakyReLU(0.01, inplace=True),
            ]  # fmt: skip
        super().__init__(*layers)


class SwinUNet(nn.Module):
    """(B, channels, x, y, z) -> (B, outputs, x, y, z). Each stage's map joins on the way back up (Hatamizadeh 2022).

    Sides that are no multiples of a patch are padded at their ends, and the answer is cut again.
    """

    def __init__(self, channels: int, outputs: int, *, width: int, fine: int, patch: int, **encoder: Any) -> None:
        super().__init__()
        self.patch = patch
        self.encoder = SwinEncoder(channels=channels, width=width, **encoder)
        widths = [width * 2**stage for stage in range(len(encoder["depths"]))]
        self.stem = Convolutions(channels, fine)
        pairs = itertools.pairwise(widths)
        self.ups = nn.ModuleList(Convolutions(here + below, here) for here, below in pairs)
        self.middle = Convolutions(width, 2 * fine)
        self.last = Convolutions(3 * fine, fine)
        self.head = nn.Conv3d(fine, outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        size = image.shape[2:]
        spare = [-n % self.patch for n in size]
        padded = functional.pad(image, (0, spare[2], 0, spare[1], 0, spare[0]))
        found = self.encoder.maps(padded)
        tokens, grid = found[-1]
        found[-1] = (self.encoder.norm(tokens), grid)
        maps = [tokens.transpose(1, 2).unflatten(2, grid) for tokens, grid in found]
        answer = maps.pop()
        for join in reversed(self.ups):
            skip = maps.pop()
            answer = join(torch.cat([_grown(answer, skip.shape[2:]), skip], dim=1))
        half = [n // 2 for n in padded.shape[2:]]
        answer = self.middle(_grown(answer, half))
        answer = self.last(torch.cat([_grown(answer, padded.shape[2:]), self.stem(padded)], dim=1))
        logits: Tensor = self.head(answer)[..., : size[0], : size[1], : size[2]]
        return logits


def _grown(maps: Tensor, size: Any) -> Tensor:
    return functional.interpolate(maps, size=tuple(size), mode="trilinear", align_corners=False)
