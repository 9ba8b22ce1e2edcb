"""The U-Net as nnU-Net v2 plans it: kernels and strides of their own at each stage, a plain or a residual encoder.

Residual blocks are those of ResNet-D (He 2019): the shortcut averages before it projects.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Sides = Sequence[int]


class Convolution(nn.Sequential):
    """Convolution, instance normalisation and, unless `linear`, a leaky rectifier."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Sides, stride: Sides = (1, 1, 1), *, bias: bool, linear: bool = False
    ) -> None:
        super().__init__()
        padding = [(side - 1) // 2 for side in kernel]
        self.conv = nn.Conv3d(inputs, outputs, tuple(kernel), tuple(stride), tuple(padding), bias=bias)
        self.norm = nn.InstanceNorm3d(outputs, affine=True)
        if not linear:
            self.act = nn.LeakyReLU(0.01, inplace=True)


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, kernel: Sides, stride: Sides, *, bias: bool) -> None:
        super().__init__()
        self.conv1 = Convolution(inputs, outputs, kernel, stride, bias=bias)
        self.conv2 = Convolution(outputs, outputs, kernel, bias=bias, linear=True)
        self.pool = nn.AvgPool3d(tuple(stride), tuple(stride)) if max(stride) > 1 else nn.Identity()
        self.project = (
            Convolution(inputs, outputs, (1, 1, 1), bias=False, linear=True) if inputs != outputs else nn.Identity()
        )
        self.act = nn.LeakyReLU(0.01, inplace=True)

    def forward(self, image: Tensor) -> Tensor:
        shortcut = self.project(self.pool(image))
        answer: Tensor = self.act(self.conv2(self.conv1(image)) + shortcut)
        return answer


def _stage(
    inputs: int, outputs: int, kernel: Sides, stride: Sides, count: int, *, residual: bool, bias: bool
) -> nn.Sequential:
    block = Residual if residual else Convolution
    first = block(inputs, outputs, kernel, stride, bias=bias)
    return nn.Sequential(first, *(block(outputs, outputs, kernel, (1, 1, 1), bias=bias) for _ in range(count - 1)))


class StagedUNet(nn.Module):
    """(batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k).

    kernels, strides: three numbers for each stage, finest first. blocks: of each encoder stage; decoder_blocks: of
    each decoder stage, coarsest first.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, features: Sequence[int], kernels: Sequence[Sides],
        strides: Sequence[Sides], blocks: Sequence[int], decoder_blocks: Sequence[int], residual: bool, bias: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stem = Convolution(in_channels, features[0], kernels[0], bias=bias) if residual else nn.Identity()
        inputs = [features[0] if residual else in_channels, *features[:-1]]
        self.encoder = nn.ModuleList(
            _stage(*of, residual=residual, bias=bias)
            for of in zip(inputs, features, kernels, strides, blocks, strict=True)
        )
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for level, count in zip(range(len(features) - 2, -1, -1), decoder_blocks, strict=True):
            below, here, step = features[level + 1], features[level], tuple(strides[level + 1])
            self.up.append(nn.ConvTranspose3d(below, here, step, step, bias=bias))
            self.decoder.append(
                _stage(2 * here, here, kernels[level], (1, 1, 1), count, residual=False, bias=bias)
            )  # fmt: skip
        self.head = nn.Conv3d(features[0], out_channels, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
                nn.init.kaiming_normal_(module.weight, a=0.01)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> Tensor:
        skips = []
        image = self.stem(image)
        for stage in self.encoder:
            image = stage(image)
            skips.append(image)
        skips.pop()
        for up, stage in zip(self.up, self.decoder, strict=True):
            image = stage(torch.cat((up(image), skips.pop()), dim=1))
        logits: Tensor = self.head(image)
        return logits
