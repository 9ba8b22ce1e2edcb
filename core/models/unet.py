"""The U-Net (Ronneberger 2015; Cicek 2016), plain or with residual blocks, in nnU-Net's form."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from core.models.costs import Cost
from core.models.slicing import Slices, dimensions, divisor, in_plane, setting, taking_volumes
from core.registry import Part, register

Stride = Annotated[int, Field(ge=1, le=4)]
Strides = tuple[Stride, Stride, Stride]


@register("model")
class UNetConfig(Part):
    """An encoder and a decoder of 3 x 3 x 3 convolutions with skips between equal resolutions."""

    name: Literal["unet"] = "unet"
    channels: list[int] | None = Field(
        None,
        min_length=3,
        max_length=7,
        title="Channels",
        description="Feature maps at each resolution, finest first; empty: planned from the data.",
    )
    residual: bool = Field(False, title="Residual blocks", description="Add each block's input to its output.")
    norm: Literal["instance", "batch"] = Field(
        "instance", title="Normalisation", description="Instance suits small batches; batch is faster on a CPU."
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, title="Dropout", description="Share of the feature maps dropped in training."
    )
    slices: Slices = setting()
    strides: list[Strides] | None = Field(
        None,
        min_length=2,
        max_length=6,
        title="Strides",
        description="How many times coarser each resolution is than the one before, in x, y, z: 1 along thick slices"
        " until the others are as coarse; empty: planned from the data, else 2 everywhere.",
    )
    deep_supervision: bool = Field(
        False,
        title="Deep supervision",
        description="Train the coarser resolutions of the decoder too; prediction stays the same.",
    )

    @model_validator(mode="after")
    def _strides_fit(self) -> UNetConfig:
        if self.strides is None:
            return self
        if self.slices is not None:
            raise ValueError("strides are of volumes; leave them empty where slices are seen one by one")
        if self.channels is not None and len(self.strides) != len(self.channels) - 1:
            raise ValueError(f"{len(self.channels)} resolutions need {len(self.channels) - 1} strides")
        if any(max(stride) == 1 for stride in self.strides):
            raise ValueError("each resolution is coarser than the one before along at least one axis")
        return self

    @property
    def widths(self) -> list[int]:
        """The channels, or where no plan has chosen them a small network's."""
        return self.channels or [16, 32, 64, 128]

    @property
    def divisor(self) -> int | tuple[int, int, int]:
        """Every side of the input must be a multiple of this, or each of its own."""
        if self.strides is not None:
            x, y, z = (math.prod(stride[axis] for stride in self.strides) for axis in range(3))
            return x, y, z
        return divisor(int(2 ** (len(self.widths) - 1)), self.slices)

    def kernels(self) -> list[tuple[int, ...]]:
        """Of each resolution; 1 along an axis of thick slices as long as these are not yet halved (nnU-Net's rule)."""
        steps = self.strides or []
        found: list[tuple[int, ...]] = []
        for level in range(len(steps) + 1):
            further = steps[level] if level < len(steps) else (2, 2, 2)
            apart = (further[axis] == 1 and all(step[axis] == 1 for step in steps[:level]) for axis in range(3))
            found.append(tuple(1 if thick else 3 for thick in apart))
        return found

    @property
    def cost(self) -> Cost:
        """Counted from the layers, of one image and without the last convolution, so that no network need be made."""
        widths = self.widths
        steps = [math.prod(in_plane(step, self.slices)) for step in self.strides or [(2, 2, 2)] * len(widths)]
        kernels = [math.prod(in_plane(kernel, self.slices)) for kernel in self.kernels()]
        # Strides alone say how many resolutions there are until the channels are planned.
        steps += [steps[-1]] * (len(widths) - 1 - len(steps))
        kernels += [kernels[-1]] * (len(widths) - len(kernels))
        operations = numbers = parameters = 0.0
        share, before = 1.0, 1  # of the input's voxels that a resolution has; the features that come into it
        for level, width in enumerate(widths):
            weights = kernels[level] * (before + width) * width + self.residual * before * width
            kept = (4 + self.residual) * width
            if level + 1 < len(widths):  # the decoder widens what is coarser and sees it beside the encoder's
                weights += widths[level + 1] * width + kernels[level + 1] * 3 * width * width
                parameters += (steps[level] - 1) * widths[level + 1] * width
                kept += 6 * width
            operations += 2 * weights * share
            numbers += kept * share
            parameters += weights
            before, share = width, share / steps[min(level, len(steps) - 1)]
        return Cost(operations, 4 * (numbers + 1), parameters)

    def build(self, in_channels: int, out_channels: int) -> Any:
        """The network: (batch, in_channels, i, j, k) -> logits (batch, out_channels, i, j, k).

        With deep supervision it gives a list of logits in training, finest first.
        """
        from monai.networks.nets.dynunet import DynUNet

        levels = len(self.widths)
        if self.strides is not None and len(self.strides) != levels - 1:
            raise ValueError(f"{levels} resolutions need {levels - 1} strides")
        steps: list[Any] = [2] * (levels - 1) if self.strides is None else list(self.strides)
        settings: dict[str, Any] = {
            "spatial_dims": dimensions(self.slices),
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel_size": [3] * levels if self.strides is None else self.kernels(),
            "strides": [1, *steps],
            "upsample_kernel_size": steps,
            "filters": self.widths,
            "norm_name": ("INSTANCE", {"affine": True}) if self.norm == "instance" else "BATCH",
            "act_name": ("leakyrelu", {"negative_slope": 0.01, "inplace": True}),
            "dropout": self.dropout or None,
            "res_block": self.residual,
        }
        if self.deep_supervision:
            from core.models.nets.unet import SupervisedUNet

            network = SupervisedUNet(min(2, levels - 2), **settings)
        else:
            network = DynUNet(**settings)
        return taking_volumes(network, self.slices)
