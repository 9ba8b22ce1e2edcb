"""MONAI's transforms that an imported model may prepare scans with, each with the arguments that are understood.

A step is named as in MONAI and made by MONAI itself; its fields are the arguments, so one with any other is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from core.inference.pipelines.nnunet import ORIENTATIONS
from core.registry import Part

Millimetres = Annotated[float, Field(ge=0.2, le=50)]
Count = Annotated[int, Field(ge=0, le=1024)]
Counts = Count | tuple[Count, Count, Count]
Divisor = Annotated[int, Field(ge=1, le=512)]
Divisors = Divisor | tuple[Divisor, Divisor, Divisor]
Padding = Literal["constant", "edge", "reflect", "replicate"]
Percent = Annotated[float, Field(ge=0, le=100)]


class Step(Part):
    """Base of the steps. `transform` is the name of MONAI's class."""

    def make(self) -> Any:
        from monai import transforms

        given = self.model_dump()
        return getattr(transforms, given.pop("transform"))(**given)


class Orientation(Step):
    transform: Literal["Orientation"] = "Orientation"
    axcodes: str = Field(pattern=ORIENTATIONS, min_length=3)

    def make(self) -> Any:
        from monai.transforms import Orientation as Transform

        # Said aloud, since MONAI is about to change what it takes them for.
        return Transform(self.axcodes, labels=(("L", "R"), ("P", "A"), ("I", "S")))


class Spacing(Step):
    transform: Literal["Spacing"] = "Spacing"
    pixdim: tuple[Millimetres, Millimetres, Millimetres]
    mode: Literal["bilinear", "nearest", 0, 1, 2, 3, 4, 5] = "bilinear"
    padding_mode: Literal["border", "zeros", "reflection", "nearest", "constant"] = "border"
    align_corners: bool = False
    diagonal: Literal[False] = False
    scale_extent: bool = False
    recompute_affine: bool = False


class ScaleIntensityRange(Step):
    transform: Literal["ScaleIntensityRange"] = "ScaleIntensityRange"
    a_min: float
    a_max: float
    b_min: float | None = None
    b_max: float | None = None
    clip: bool = False


class ScaleIntensity(Step):
    transform: Literal["ScaleIntensity"] = "ScaleIntensity"
    minv: float | None = 0.0
    maxv: float | None = 1.0
    factor: float | None = None
    channel_wise: bool = False


class NormalizeIntensity(Step):
    transform: Literal["NormalizeIntensity"] = "NormalizeIntensity"
    subtrahend: float | None = None
    divisor: float | None = None
    nonzero: bool = False
    channel_wise: bool = False


class ScaleIntensityRangePercentiles(Step):
    transform: Literal["ScaleIntensityRangePercentiles"] = "ScaleIntensityRangePercentiles"
    lower: Percent
    upper: Percent
    b_min: float | None
    b_max: float | None
    clip: bool = False
    relative: bool = False
    channel_wise: bool = False


class CropForeground(Step):
    """To the box around what is above 0."""

    transform: Literal["CropForeground"] = "CropForeground"
    margin: Counts = 0
    k_divisible: Divisors = 1
    allow_smaller: bool = False
    mode: Padding = "constant"


class DivisiblePad(Step):
    transform: Literal["DivisiblePad"] = "DivisiblePad"
    k: Divisors
    mode: Padding = "constant"
    method: Literal["symmetric", "end"] = "symmetric"


class SpatialPad(Step):
    transform: Literal["SpatialPad"] = "SpatialPad"
    spatial_size: Counts
    mode: Padding = "constant"
    method: Literal["symmetric", "end"] = "symmetric"


AnyStep = Annotated[
    Orientation | Spacing | ScaleIntensityRange | ScaleIntensity | NormalizeIntensity | ScaleIntensityRangePercentiles
    | CropForeground | DivisiblePad | SpatialPad,
    Field(discriminator="transform"),
]  # fmt: skip
STEPS: dict[str, type[Step]] = {
    one.model_fields["transform"].default: one
    for one in (Orientation, Spacing, ScaleIntensityRange, ScaleIntensity, NormalizeIntensity,
                ScaleIntensityRangePercentiles, CropForeground, DivisiblePad, SpatialPad)
}  # fmt: skip
