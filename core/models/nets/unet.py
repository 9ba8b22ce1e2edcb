"""MONAI's dynamic U-Net with heads at coarser resolutions while it trains."""

from __future__ import annotations

from typing import Any

from monai.networks.blocks.dynunet_block import UnetOutBlock
from monai.networks.nets.dynunet import DynUNet
from torch import Tensor, nn


class SupervisedUNet(DynUNet):
    """Gives a list of logits in training, finest first, each at the next coarser resolution.

    In evaluation it is the plain network. (DynUNet's own deep supervision keeps the heads' outputs in the module and
    computes them in evaluation too.)
    """

    def __init__(self, heads: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.coarse = nn.ModuleList(
            UnetOutBlock(self.spatial_dims, self.filters[level], self.out_channels) for level in range(1, heads + 1)
        )
        self.coarse.apply(self.initialize_weights)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        if not self.training:
            whole: Tensor = super().forward(image)
            return whole
        skips = [self.input_block(image)]
        for down in self.downsamples:
            skips.append(down(skips[-1]))
        decoded = [self.bottleneck(skips[-1])]
        for up, skip in zip(self.upsamples, reversed(skips), strict=True):
            decoded.insert(0, up(decoded[0], skip))
        return [self.output_block(decoded[0]), *(head(decoded[i]) for i, head in enumerate(self.coarse, start=1))]
